import { fail, ok, type Result } from "../../result.ts";
import { answered, type CniError, daemonError } from "../error.ts";
import { type AttachmentContext, DONE, type Done, parameters, soundRequest } from "./context.ts";

/**
 * CNI DEL: frees what the attachment holds (R4). Faults of the network config and of CNI_ARGS do not stop it, for a pod with
 * such a config must be able to go; the daemon then finds the attachment by the network's name.
 */
export async function del(context: AttachmentContext): Promise<Result<Done, CniError>> {
  const sound = soundRequest(context);
  if (!sound.ok) context.log("warning", "DEL goes on although the config is invalid", { fault: sound.error.message });
  const answer = await context.daemon.deallocate(parameters(context));
  if (answer.ok || answered(answer.error, "notFound")) return ok(DONE);
  return fail(daemonError(answer.error));
}
