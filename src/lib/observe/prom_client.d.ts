/** The parts of prom-client that are used: its front door also loads clients and collectors that cost 20 MB and are not. */

declare module "prom-client/lib/counter.js" {
  export { Counter as default } from "prom-client";
}

declare module "prom-client/lib/gauge.js" {
  export { Gauge as default } from "prom-client";
}

declare module "prom-client/lib/histogram.js" {
  export { Histogram as default } from "prom-client";
}

declare module "prom-client/lib/registry.js" {
  export { Registry as default } from "prom-client";
}

declare module "prom-client/lib/metrics/*.js" {
  import type { Registry } from "prom-client";

  /** Registers metrics whose values are read when they are asked for. */
  const register: (registry: Registry) => void;
  export default register;
}
