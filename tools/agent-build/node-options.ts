/**
 * What Node is started with as an agent. The young generation of its heap otherwise grows to 128 MB on a machine with much memory, all of
 * it garbage: seen in the soak, where 25 MB are alive. MiB, per half; collecting it more often costs nothing that shows.
 */
export const agentNodeOptions = ["--max-semi-space-size=4"];
