/** `--feature-gates` of the Kubernetes component base: what may be used before it is stable. */
import { fail, ok, type Result } from "../result.ts";
import { parseBool } from "./scalars.ts";

type Stage = "ALPHA" | "BETA";

interface Gate {
  readonly stage: Stage;
  readonly default: boolean;
}

const GATES = {
  AllAlpha: { stage: "ALPHA", default: false },
  AllBeta: { stage: "BETA", default: false },
  ContextualLogging: { stage: "ALPHA", default: false },
  LoggingAlphaOptions: { stage: "ALPHA", default: false },
  LoggingBetaOptions: { stage: "BETA", default: true },
} as const satisfies Readonly<Record<string, Gate>>;

/** The name of a gate. */
export type GateName = keyof typeof GATES;

/** What was asked for, by gate. */
export type FeatureGates = ReadonlyMap<GateName, boolean>;

/** Reads `Gate=true,Other=false`; of two values for one gate the last wins. */
export function parseFeatureGates(text: string): Result<FeatureGates, string> {
  const gates = new Map<GateName, boolean>();
  for (const item of text.split(",").filter((part) => part !== "")) {
    const equals = item.indexOf("=");
    const name = (equals < 0 ? item : item.slice(0, equals)).trim();
    const value = equals < 0 ? undefined : parseBool(item.slice(equals + 1).trim());
    if (!isGate(name)) return fail(`unrecognized feature gate: ${name}; known are ${Object.keys(GATES).join(", ")}`);
    if (value === undefined) return fail(`${name} needs true or false: ${name}=true`);
    gates.set(name, value);
  }
  return ok(gates);
}

/** Whether a gate is open: as it was asked for, else as all of its stage were, else its default. */
export function isEnabled(gates: FeatureGates, name: GateName): boolean {
  const { stage, default: byDefault } = GATES[name];
  return gates.get(name) ?? gates.get(stage === "ALPHA" ? "AllAlpha" : "AllBeta") ?? byDefault;
}

/** A line a gate, for the help. */
export function describeFeatureGates(): string {
  return Object.entries(GATES)
    .map(([name, gate]) => `${name}=true|false (${gate.stage} - default=${gate.default})`)
    .join("\n");
}

function isGate(name: string): name is GateName {
  return Object.hasOwn(GATES, name);
}
