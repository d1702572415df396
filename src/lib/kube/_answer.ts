/** Reads the API server's answers. */
import { fail, ok, type Result } from "../result.ts";
import type { HttpAnswer } from "./connection.ts";
import { type KubeError, localError, type Status, statusError } from "./error.ts";

/** The query of an URL; what is undefined, false or empty is left out. */
export function encodeQuery(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value) query.set(name, String(value));
  return query.size === 0 ? "" : `?${query}`;
}

/** The JSON of a successful answer. */
export async function readJson<T>(what: string, answer: HttpAnswer): Promise<Result<T, KubeError>> {
  const text = await answer.body.text();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return ok(value as T);
  } catch {
    // Said below: the text itself may be long, and is of no use to people.
  }
  return fail(localError("malformed", `${what}: the answer is not a JSON object`));
}

/** The error of an answer that is none of success; whatever its body is. */
export async function readStatus(what: string, answer: HttpAnswer): Promise<KubeError> {
  const retryAfter = answer.headers["retry-after"];
  const status = parseStatus(await answer.body.text());
  return statusError(
    what,
    { ...status, code: answer.statusCode },
    retryAfter === undefined ? undefined : `${retryAfter}`,
  );
}

function parseStatus(text: string): Status {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && (value as Status).kind === "Status") return value;
  } catch {
    // A proxy's page, for example.
  }
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line === "" ? {} : { message: line.slice(0, 200) };
}
