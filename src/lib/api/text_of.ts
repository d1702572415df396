/** A member of foreign JSON as a text; "" where it is none. Unlike String, it never throws. Pure. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
