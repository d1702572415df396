/** Reservations as a node keeps tens of thousands of them: one text each, which is also what the store writes. */
import { type Address, formatAddress, parseAddress } from "../ip/address.ts";
import { escapeField, joinFields, splitFields } from "./fields.ts";
import { type Attachment, HOWS, type How, type Owner, type PoolID, type Reservation } from "./reservation.ts";

/** A reservation, packed. */
export interface Entry {
  readonly pool: PoolID;
  /** A line of fields: container id, interface, addresses, time, how, network, device; of a pod also namespace, name and uid. */
  readonly text: string;
}

const UID_FIELD = 9;

/** What may stand in a line between two `|` where nothing is escaped. */
const FIELD = "[!-:<-?A-[\\]-{}~]*";
const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ADDRESS = `(?:${BYTE}(?:\\.${BYTE}){3}|0|[1-9a-f][0-9a-f]{0,31})`;
const IS_ADDRESS = new RegExp(`^${ADDRESS}$`);
const IS_ENTRY = new RegExp(
  `^${FIELD}\\|${FIELD}\\|${ADDRESS}(?:,${ADDRESS})*\\|${FIELD}\\|(?:${HOWS.join("|")})(?:\\|${FIELD}){2}(?:(?:\\|${FIELD}){3})?$`,
);
const NOBODY: Owner = { type: "none" };

/** Packs a reservation. */
export function toEntry(reservation: Reservation): Entry {
  const { pool, containerID, ifname, addresses, createdAt, how, network, deviceID, owner } = reservation;
  const fields = [containerID, ifname, addresses.map(writeAddress).join(","), createdAt, how, network, deviceID];
  if (owner.type === "pod") fields.push(owner.namespace, owner.name, owner.uid);
  return { pool, text: joinFields(fields) };
}

/** Whether {@link toEntry} can have written the text. Asked of tens of thousands at a start. */
export function isEntryText(text: string): boolean {
  if (IS_ENTRY.test(text)) return true;
  return text.includes("\\") && joinFields(splitFields(text)) === text && IS_ENTRY.test(text.replaceAll("\\", "/"));
}

/** Whether {@link writeAddress} can have written the text. */
export function isAddress(text: string): boolean {
  return IS_ADDRESS.test(text);
}

/** The reservation of an entry. */
export function toReservation({ pool, text }: Entry): Reservation {
  const [containerID = "", ifname = "", addresses = "", createdAt = "", how, network = "", deviceID = "", ...pod] =
    splitFields(text);
  const [namespace = "", name = "", uid = ""] = pod;
  return {
    containerID,
    ifname,
    pool,
    addresses: addresses.split(",").map(readAddress),
    owner: pod.length === 0 ? NOBODY : { type: "pod", namespace, name, uid },
    network,
    deviceID,
    // Only such texts are packed.
    how: how as How,
    createdAt,
  };
}

/** A text that is the same for the same reservation only: of that pool object, attachment, pod and time, with all that it says. */
export function identityOf({ pool, text }: Entry): string {
  return `${pool.kind}|${pool.name}|${pool.uid}|${text}`;
}

/** The addresses of an entry. Throws when the text is none of an entry. */
export function addressesOf({ text }: Entry): Address[] {
  const start = text.indexOf("|", text.indexOf("|") + 1) + 1;
  const addresses = text.slice(start, text.indexOf("|", start));
  return addresses.includes(",") ? addresses.split(",").map(readAddress) : [readAddress(addresses)];
}

/** The container id as it stands in the text. */
export function containerOf({ text }: Entry): string {
  return text.slice(0, text.indexOf("|"));
}

/** The uid of the entry's pod as it stands in the text; "" when it is not known. */
export function podOf({ text }: Entry): string {
  return text.split("|")[UID_FIELD] ?? "";
}

/** How the text begins of what the attachment holds. */
export function attachmentKey({ containerID, ifname }: Attachment): string {
  return `${escapeField(containerID)}|${escapeField(ifname)}|`;
}

/** The {@link attachmentKey} of an entry. */
export function attachmentOf({ text }: Entry): string {
  return text.slice(0, text.indexOf("|", text.indexOf("|") + 1) + 1);
}

/** Whether the attachment holds the entry. */
export function isHeldBy({ text }: Entry, attachment: Attachment): boolean {
  return text.startsWith(attachmentKey(attachment));
}

/** Whether the entry may be of the network: next to nothing to ask, and says no for certain. */
export function mayBeOf({ text }: Entry, network: string): boolean {
  return text.includes(`|${escapeField(network)}|`);
}

/** IPv4 as usual; IPv6 as the digits of its value, for `::ffff:10.0.0.1` is read as IPv4. */
export function writeAddress(address: Address): string {
  return address.family === 4 ? formatAddress(address) : address.value.toString(16);
}

/** Throws when the text is no address that {@link writeAddress} writes. */
export function readAddress(text: string): Address {
  if (!text.includes(".")) return { family: 6, value: BigInt(`0x${text}`) };
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
