import { fail, ok, type Result } from "../../result.ts";
import { answered, type CniError, daemonError, ErrorCode } from "../error.ts";
import { type Context, DONE, type Done } from "./context.ts";

/**
 * CNI STATUS: whether ADD could be served now.
 *
 * @returns error 50 when only ADD is not served, 51 when nothing is, which a daemon that cannot be reached is a case of.
 */
export async function status(context: Context): Promise<Result<Done, CniError>> {
  const { config, daemon, settings, request } = context;
  const [fault] = config.faults;
  if (fault !== undefined) return fail(fault);
  // No pool need be named, not even where forcePoolName is set: with Multus the pods name theirs (args.cni.poolNames).
  const pools = request.poolsNamed ? [...request.pools] : [];
  const answer = await daemon.status({ pools, poolKind: request.poolKind });
  if (!answer.ok) {
    // The original's daemon has no such method, but it answers.
    if (answered(answer.error, "unimplemented")) return ok(DONE);
    const error = daemonError(answer.error);
    return fail(error.code === ErrorCode.config ? error : { ...error, code: ErrorCode.limited });
  }
  const { ready, serving, reasons } = answer.value;
  if (ready) return ok(DONE);
  return fail({
    code: serving ? ErrorCode.notAvailable : ErrorCode.limited,
    message: `the nv-ipam node daemon at ${settings.daemonSocket} cannot serve ADD now: ${reasons.join("; ") || "it gives no reason"}`,
  });
}
