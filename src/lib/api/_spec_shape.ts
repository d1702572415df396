/** Reads the spec of either kind from untrusted JSON. What is missing or wrong is noted; the caller uses the result only when nothing was. */
import { defined, type FieldReader } from "./_fields.ts";
import type {
  CIDRPoolSpec,
  ExcludeIndexRange,
  ExcludeRange,
  IPPoolSpec,
  NodeSelector,
  NodeSelectorRequirement,
  PoolKind,
  PoolSpec,
} from "./types.ts";

/** Reads a spec; complete only if the reader noted nothing. */
export function readSpec(kind: PoolKind, spec: FieldReader): PoolSpec {
  return kind === "IPPool" ? readIPPoolSpec(spec) : readCIDRPoolSpec(spec);
}

function readIPPoolSpec(spec: FieldReader): IPPoolSpec {
  return defined({
    subnet: spec.requiredString("subnet", "the pool's network in CIDR notation, such as 192.168.0.0/16") ?? "",
    perNodeBlockSize:
      spec.requiredInteger("perNodeBlockSize", "the number of addresses for each node, such as 64") ?? 0,
    gateway: spec.string("gateway"),
    ...readCommon(spec),
  });
}

function readCIDRPoolSpec(spec: FieldReader): CIDRPoolSpec {
  return defined({
    cidr: spec.requiredString("cidr", "the pool's network in CIDR notation, such as 192.168.0.0/16") ?? "",
    perNodeNetworkPrefix:
      spec.requiredInt32("perNodeNetworkPrefix", "the length of each node's prefix in bits, such as 24") ?? 0,
    gatewayIndex: spec.int32("gatewayIndex"),
    staticAllocations: spec.objects("staticAllocations", (item) =>
      defined({
        nodeName: item.string("nodeName"),
        gateway: item.string("gateway"),
        prefix: item.requiredString("prefix", "the prefix that is set aside, such as 192.168.33.0/24") ?? "",
      }),
    ),
    ...readCommon(spec),
  });
}

function readCommon(spec: FieldReader) {
  return {
    exclusions: spec.objects("exclusions", readExclusion),
    perNodeExclusions: spec.objects("perNodeExclusions", readIndexExclusion),
    nodeSelector: spec.object("nodeSelector", readNodeSelector),
    defaultGateway: spec.boolean("defaultGateway"),
    defautGateway: spec.boolean("defautGateway"),
    routes: spec.objects("routes", (item) => ({
      dst: item.requiredString("dst", "the route's destination in CIDR notation, such as 10.7.0.0/16") ?? "",
    })),
  };
}

function readExclusion(item: FieldReader): ExcludeRange {
  return {
    startIP: item.requiredString("startIP", "the first address of the range") ?? "",
    endIP: item.requiredString("endIP", "the last address of the range, which may be the first one") ?? "",
  };
}

function readIndexExclusion(item: FieldReader): ExcludeIndexRange {
  return {
    startIndex: item.requiredInt32("startIndex", "the first index of the range; 0 is the block's first address") ?? 0,
    endIndex: item.requiredInt32("endIndex", "the last index of the range, which may be the first one") ?? 0,
  };
}

function readNodeSelector(selector: FieldReader): NodeSelector {
  const terms = selector.objects("nodeSelectorTerms", (term) =>
    defined({
      matchExpressions: term.objects("matchExpressions", readRequirement),
      matchFields: term.objects("matchFields", readRequirement),
    }),
  );
  return { nodeSelectorTerms: terms ?? [] };
}

function readRequirement(item: FieldReader): NodeSelectorRequirement {
  return defined({
    key: item.requiredString("key", "the label that is looked at") ?? "",
    operator: item.requiredString("operator", "one of In, NotIn, Exists, DoesNotExist, Gt, Lt") ?? "",
    values: item.strings("values"),
  });
}
