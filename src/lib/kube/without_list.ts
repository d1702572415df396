/** Reads JSON without making objects of one long list in it. Pure. */

/** What was read, and what was not. */
export interface WithoutList {
  /** The value, in which the list is empty. */
  readonly value: unknown;
  /** The text of the list's items, without its brackets. */
  readonly items: string;
}

/**
 * Takes the items out of the text, up to the first `]`, and reads the rest. Where that is not their end, because it is in a
 * string or ends a list in an item, the quotes or the brackets of the rest do not match.
 *
 * @param name of the member that is the list, as the API server writes it: within a string its quotes would be escaped.
 * @returns undefined where the text has to be read whole: it has no such list, several, one that is not so simple, or is no JSON.
 */
export function parseWithoutList(text: string, name: string): WithoutList | undefined {
  const member = `"${name}":[`;
  const at = text.indexOf(member);
  const from = at + member.length;
  const to = text.indexOf("]", from);
  // After a backslash it is the end of a longer name.
  if (at < 0 || text[at - 1] === "\\" || text.includes(member, to)) return undefined;
  try {
    return { value: JSON.parse(text.slice(0, from) + text.slice(to)), items: text.slice(from, to) };
  } catch {
    return undefined;
  }
}
