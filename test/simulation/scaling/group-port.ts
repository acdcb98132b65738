/** The group's object as the autoscaler asks it: a message there and one back, either of which the object or the asker may not live to see. */

import type { SocketSeen } from "../../../src/group/protocol.ts";
import type { ScalingGroup } from "../../../src/scaling/ports.ts";
import type { Caller } from "../world/d1.ts";
import type { GroupObject } from "../world/group-object.ts";
import type { Schedule } from "../world/schedule.ts";

const rpcMs = 5;

export function groupPort(
  { schedule, object }: { schedule: Schedule; object: GroupObject },
  caller: Caller,
  sockets: () => SocketSeen[] = () => [],
): ScalingGroup {
  const rpc = <T>(work: Parameters<typeof object.call<T>>[0]): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const back = (settle: () => void) =>
      schedule.after(rpcMs, () => {
        if (!caller.alive) return;
        schedule.touched = true;
        settle();
      });
    schedule.after(rpcMs, () =>
      object.call(
        work,
        (answer) =>
          back(() => (answer === null ? reject(new Error("the object died")) : resolve(answer as T))),
        (error) => back(() => reject(error)),
      ),
    );
    return promise;
  };
  return {
    status: (of) => rpc((engine) => engine.status(of, sockets())),
    holdGrants: (...given) => rpc((engine) => engine.holdGrants(...given)),
    narrowHold: (...given) => rpc((engine) => engine.narrowHold(...given)),
    badMachines: (of) => rpc((engine) => engine.badMachines(of, sockets())),
    reallocated: (...given) => rpc((engine) => engine.reallocated(...given)),
    // Null is an answer of its own here.
    grantHold: async (of) => (await rpc(async (engine) => ({ hold: await engine.grantHold(of) }))).hold,
  };
}
