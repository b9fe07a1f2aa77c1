// What the entries import and only the build or the runtime has.

declare module "#core" {
  export const createCore: import("./core.d.ts").CreateCore;
}

declare module "#otel" {
  export const createCore: import("./core.d.ts").CreateCore<import("./otel/core.d.ts").SpanCore>;
}

declare module "#relay" {
  export const createCore: import("./core.d.ts").CreateCore<import("./relay/core.d.ts").RelayCore>;
}

declare module "#core.wasm.base64" {
  const base64: string;
  export default base64;
}

declare module "#otel.wasm.base64" {
  const base64: string;
  export default base64;
}

declare module "#relay.wasm.base64" {
  const base64: string;
  export default base64;
}

declare module "#core.deflated.base64" {
  const base64: string;
  export default base64;
  /** Bytes of the inflated module. */
  export const length: number;
}

declare module "#otel.deflated.base64" {
  const base64: string;
  export default base64;
  /** Bytes of the inflated module. */
  export const length: number;
}

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "*.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}

interface ImportMeta {
  /** Put there by Nitro's build. */
  preset?: string;
}

declare module "cloudflare:workers" {
  const workers: Record<string, any>;
  export = workers;
}

/** What build-pkg.mjs knows of the file that it makes. */
declare module "#build" {
  export const format: "esm" | "cjs";
  export const version: string;
}

declare module "tiny-inflate" {
  /** Inflates all of `source` (RFC 1951) into `target`, which has to be as long as the result. Throws for other data. */
  export default function inflate<T extends Uint8Array>(source: Uint8Array, target: T): T;
}
