/** What a network config asks of which pools. Pure. */
import type { PoolKind } from "../api/types.ts";
import { textFault } from "../rpc/text.ts";
import { familyOf } from "./_address.ts";
import type { Section } from "./_section.ts";
import type { CniArguments } from "./arguments.ts";
import { type CniError, ErrorCode, quote } from "./error.ts";
import type { NetworkConfig } from "./network_config.ts";
import type { Sources } from "./settings.ts";

/** The pools and what is asked of them. */
export interface PoolRequest {
  /** One or two names. */
  readonly pools: readonly string[];
  /** Whether the names were given; else they are the network's name. */
  readonly poolsNamed: boolean;
  /** Why there can be no ADD and no CHECK without a name, if so. */
  readonly nameFault?: CniError;
  readonly poolKind: PoolKind;
  /** Static addresses, without prefix length. */
  readonly addresses: readonly string[];
  readonly allocateDefaultGateway: boolean;
  readonly allocateIPWithIndex?: number;
}

const MAX_POOLS = 2;
const MAX_INDEX = 2 ** 31 - 1;

const NAME_FAULT: CniError = {
  code: ErrorCode.config,
  message: "ipam.poolName is missing, and forcePoolName forbids taking the network's name for it",
};

/**
 * Reads the pools from args.cni, `ipam` and nv-ipam.conf, and the static addresses from runtimeConfig, args.cni and
 * CNI_ARGS: the first that is present wins.
 *
 * What is wrong is noted in the config's faults. The request then is one with which DEL can still be carried out: it names
 * the network where no valid pool is named.
 */
export function readPoolRequest(config: NetworkConfig, sources: Sources, args: CniArguments): PoolRequest {
  const cni = config.members.section("args").section("cni");
  const forced = forcePoolName(sources);
  const names = readPoolNames(cni, sources);
  const addresses = readAddresses(config, cni, args);
  const allocateDefaultGateway = cni.flag("allocateDefaultGateway") ?? false;
  const index = cni.integer("allocateIPWithIndex", 0, MAX_INDEX);
  const wishes = [
    addresses.length > 0 ? "a static address" : "",
    allocateDefaultGateway ? "args.cni.allocateDefaultGateway" : "",
    index !== undefined ? "args.cni.allocateIPWithIndex" : "",
  ].filter((wish) => wish !== "");
  if (wishes.length > 1) {
    config.faults.push({
      code: ErrorCode.config,
      message: `${wishes.join(" and ")} exclude each other; ask for one of them`,
    });
  }
  return {
    pools: names ?? [config.name],
    poolsNamed: names !== undefined,
    ...(names === undefined && forced ? { nameFault: NAME_FAULT } : {}),
    poolKind: readPoolKind(cni, sources),
    addresses,
    allocateDefaultGateway,
    ...(index === undefined ? {} : { allocateIPWithIndex: index }),
  };
}

function readPoolNames(cni: Section, { ipam, file }: Sources): readonly string[] | undefined {
  const listed = cni.texts("poolNames");
  if (listed !== undefined) return checkPoolNames(listed, cni, "poolNames");
  for (const section of [ipam, file]) {
    const text = section.text("poolName");
    if (text !== undefined) return checkPoolNames(text.split(","), section, "poolName");
  }
  return undefined;
}

function checkPoolNames(given: readonly string[], section: Section, member: string): readonly string[] | undefined {
  const names = given.map((name) => name.trim());
  if (names.includes("")) return section.fault(member, "has an empty pool name");
  if (names.length > MAX_POOLS)
    return section.fault(member, `names ${names.length} pools; at most ${MAX_POOLS} can be used`);
  if (new Set(names).size < names.length)
    return section.fault(member, "names a pool twice; name it once, or two different pools");
  for (const name of names) {
    const fault = textFault(name);
    if (fault !== undefined) return section.fault(member, `has ${quote(name)}, which ${fault}`);
  }
  return names;
}

function forcePoolName({ ipam, file }: Sources): boolean {
  return ipam.flag("forcePoolName") ?? file.flag("forcePoolName") ?? false;
}

function readPoolKind(cni: Section, { ipam, file }: Sources): PoolKind {
  for (const section of [cni, ipam, file]) {
    const text = section.text("poolType");
    if (text === undefined) continue;
    const lower = text.toLowerCase();
    if (lower === "ippool") return "IPPool";
    if (lower === "cidrpool") return "CIDRPool";
    section.fault("poolType", `must be ippool or cidrpool, not ${quote(text)}`);
  }
  return "IPPool";
}

function readAddresses(config: NetworkConfig, cni: Section, args: CniArguments): readonly string[] {
  const fromRuntime = config.members.section("runtimeConfig").texts("ips");
  if (fromRuntime !== undefined)
    return checkAddresses(fromRuntime, "runtimeConfig.ips", ErrorCode.config, config.faults);
  const fromConfig = cni.texts("ips");
  if (fromConfig !== undefined) return checkAddresses(fromConfig, "args.cni.ips", ErrorCode.config, config.faults);
  return args.ip === "" ? [] : checkAddresses([args.ip], "IP in CNI_ARGS", ErrorCode.environment, config.faults);
}

function checkAddresses(
  texts: readonly string[],
  where: string,
  code: CniError["code"],
  faults: CniError[],
): readonly string[] {
  const addresses: string[] = [];
  for (const text of texts) {
    const address = addressOf(text);
    if (address !== undefined) addresses.push(address);
    else faults.push({ code, message: `${where} has ${quote(text)}, which is no IP address` });
  }
  return addresses;
}

/** The address of `address` or `address/length`; the length is checked and otherwise of no use. */
function addressOf(text: string): string | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const family = familyOf(address);
  if (family === undefined || rest.length > 0) return undefined;
  if (length === undefined) return address;
  return /^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128) ? address : undefined;
}
