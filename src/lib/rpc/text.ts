/** What the daemon takes as a name: of a pool, a pod, a device, a network. Pure. */

/** Most UTF-16 units of a name: no runtime comes near them. */
const MAX_TEXT = 1024;

/**
 * What is wrong with a text that names something, as the end of a sentence, or undefined. U+FFFD stands for bytes that are no
 * UTF-8, and half a surrogate pair becomes one on its way.
 */
export function textFault(text: string): string | undefined {
  if (text.length > MAX_TEXT) return `must not have more than ${MAX_TEXT} characters`;
  return text.toWellFormed().includes("\ufffd") ? "is not valid UTF-8" : undefined;
}
