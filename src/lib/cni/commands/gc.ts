import { fail, ok, type Result } from "../../result.ts";
import type { Attachment } from "../../rpc/generated/daemon.ts";
import { isObject, Section } from "../_section.ts";
import { answered, type CniError, daemonError, ErrorCode } from "../error.ts";
import type { Context, Done } from "./context.ts";

const KEY = "cni.dev/valid-attachments";

/**
 * CNI GC: frees what was reserved under the network's name and is not among the valid attachments. Without the list nothing
 * is touched. Faults of the network config that have nothing to do with the list do not stop it.
 */
export async function gc({ config, daemon }: Context): Promise<Result<Done, CniError>> {
  const list = config.members.value(KEY);
  if (list === undefined) return released({ released: 0, note: `the network config has no ${KEY}` });
  const validAttachments = readAttachments(list);
  if (!validAttachments.ok) return validAttachments;
  const answer = await daemon.collectGarbage({ network: config.name, validAttachments: [...validAttachments.value] });
  if (answer.ok) return released({ released: answer.value, valid: validAttachments.value.length });
  if (!answered(answer.error, "unimplemented")) return fail(daemonError(answer.error));
  return released({ released: 0, note: "the node daemon knows no garbage collection" });
}

function released(fields: Done["fields"]): Result<Done, CniError> {
  return ok({ stdout: "", fields });
}

function readAttachments(list: unknown): Result<readonly Attachment[], CniError> {
  if (!Array.isArray(list)) return invalid("must be a list");
  const attachments: Attachment[] = [];
  for (const [index, entry] of list.entries()) {
    const members = new Section(isObject(entry) ? entry : {}, "", []);
    const containerId = members.text("containerID");
    const ifname = members.text("ifname");
    if (containerId === undefined || ifname === undefined) {
      return invalid(`must have a containerID and an ifname in each entry; entry ${index} has not`);
    }
    attachments.push({ containerId, ifname });
  }
  return ok(attachments);
}

function invalid(what: string): Result<never, CniError> {
  return fail({ code: ErrorCode.config, message: `${KEY} of the network config ${what}` });
}
