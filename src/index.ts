export { ContainerGroup } from "./group/container-group.ts";
