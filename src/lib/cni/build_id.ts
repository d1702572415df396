/** The note at the end of the executable that says which build it is, so that two can be compared without reading them. */

const MAGIC = Buffer.from("nv-ipam build id");
const ID_LENGTH = 32;

/** Bytes that the note takes. */
export const BUILD_ID_NOTE_LENGTH = MAGIC.length + ID_LENGTH;

/** Makes the note of an id of 32 bytes. */
export function buildIdNote(id: Uint8Array): Buffer {
  if (id.length !== ID_LENGTH) throw new RangeError(`a build id has ${ID_LENGTH} bytes, not ${id.length}`);
  return Buffer.concat([MAGIC, id]);
}

/** The id, in hexadecimal, that the last bytes of a file say. @returns undefined when they are no note. */
export function readBuildIdNote(tail: Uint8Array): string | undefined {
  const note = Buffer.from(tail.buffer, tail.byteOffset, tail.byteLength);
  const isNote = note.length === BUILD_ID_NOTE_LENGTH && note.subarray(0, MAGIC.length).equals(MAGIC);
  return isNote ? note.subarray(MAGIC.length).toString("hex") : undefined;
}
