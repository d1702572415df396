/** The recorded stories told to the daemon and the plugin from outside, and how what comes back is compared. */
import { readdirSync, readFileSync } from "node:fs";

export interface PoolSpec {
  readonly kind: "IPPool" | "CIDRPool";
  readonly name: string;
  readonly spec: Record<string, unknown>;
  readonly allocations: readonly Record<string, unknown>[];
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Step {
  readonly do: string;
  readonly expect?: Json;
  readonly [member: string]: Json | undefined;
}

export interface Vector {
  readonly name: string;
  readonly why: string;
  readonly pools?: readonly PoolSpec[];
  readonly config?: Json;
  readonly daemonFlags?: readonly string[];
  readonly steps: readonly Step[];
}

/** What the calls of one vector act on. */
export interface Scene {
  /** The placeholders' values. */
  readonly places: Readonly<Record<string, string>>;
  readonly vector: Vector;
}

/** Carries out one call of a suite. @returns what is compared with the step's `expect`, or undefined when nothing is. */
export type Act = (step: Step, scene: Scene) => Promise<Json | undefined>;

/** All vectors of a suite, by name. */
export function readVectors(suite: string): readonly Vector[] {
  const folder = new URL(`vectors/${suite}/`, import.meta.url);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => ({ name: file.slice(0, -5), ...JSON.parse(readFileSync(new URL(file, folder), "utf8")) }));
}

/** Replaces the placeholders of a vector's strings by this run's values. */
export function fillIn<T extends Json>(value: T, places: Readonly<Record<string, string>>): T {
  return mapStrings(value, (text) => text.replaceAll(/\$\{(\w+)\}/g, (whole, name) => places[name] ?? whole));
}

/** Puts the placeholders back into what was observed. */
export function takeOut<T extends Json>(value: T, places: Readonly<Record<string, string>>): T {
  const longestFirst = Object.entries(places).sort(([, a], [, b]) => b.length - a.length);
  return mapStrings(value, (text) =>
    longestFirst.reduce((result, [name, place]) => result.replaceAll(place, `\${${name}}`), text),
  );
}

function mapStrings<T extends Json>(value: T, change: (text: string) => string): T {
  if (typeof value === "string") return change(value) as T;
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, change)) as unknown as T;
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, change)])) as T;
  }
  return value;
}

/** Whether what was observed is what a step expects: `anyOf` lists right results, `info` is for readers only. */
export function matches(observed: Json, expected: Json): boolean {
  const wanted = comparable(expected);
  if (isObject(wanted) && Array.isArray(wanted.anyOf)) return wanted.anyOf.some((one) => matches(observed, one));
  return canonical(comparable(observed)) === canonical(wanted);
}

function comparable(value: Json): Json {
  if (!isObject(value)) return value;
  const { info: _, ...rest } = value;
  return rest;
}

function isObject(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function canonical(value: Json): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
