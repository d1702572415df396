import type { Attachment } from "../../reservations/reservation.ts";
import { fail, ok, type Result } from "../../result.ts";
import type { CallFailure } from "../../rpc/client/call.ts";
import { advised, answered, type CniError, daemonError, ErrorCode } from "../error.ts";
import { missingFrom, resultAddresses } from "../prev_result.ts";
import { type AttachmentContext, DONE, type Done, parameters, podGiven, soundRequest } from "./context.ts";

/**
 * CNI CHECK: each pool holds an address for the attachment, and what the attachment holds is in prevResult.
 *
 * prevResult may hold addresses of other IPAM plugins and interfaces as well, so that only an address of ours that is not
 * among them is a fault; a prevResult without addresses says nothing.
 */
export async function check(context: AttachmentContext): Promise<Result<Done, CniError>> {
  const { config, daemon, attachment } = context;
  const sound = soundRequest(context);
  if (!sound.ok) return sound;
  const pod = podGiven(context);
  if (!pod.ok) return pod;
  const expected = resultAddresses(config.members.value("prevResult"));
  if (!expected.ok) return expected;
  const reserved = await daemon.isAllocated(parameters(context));
  if (!reserved.ok) return fail(reservationError(attachment, reserved.error));
  if (expected.value.length === 0) return ok(DONE);
  const held = await daemon.reservations(attachment.containerID, attachment.ifname);
  if (!held.ok) {
    // The original's daemon cannot tell.
    return answered(held.error, "unimplemented") ? ok(DONE) : fail(daemonError(held.error));
  }
  const addresses = held.value.flatMap((reservation) => reservation.addresses);
  const missing = missingFrom(expected.value, addresses);
  if (missing.length === 0) return ok(DONE);
  return fail({
    code: ErrorCode.differs,
    message: `prevResult does not have ${missing.join(", ")}, reserved for ${attachment.ifname} of container ${attachment.containerID}; DEL this interface and add it again`,
  });
}

function reservationError(attachment: Attachment, failure: CallFailure): CniError {
  if (!answered(failure, "notFound")) return daemonError(failure);
  return {
    code: ErrorCode.notReserved,
    message: advised(
      failure.message,
      `${attachment.ifname} of container ${attachment.containerID} must be added again`,
    ),
  };
}
