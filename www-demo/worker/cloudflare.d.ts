// What the Worker imports from workerd, as far as it uses it. Cloudflare's own package of types is
// not used, because it redefines the globals that the page and Node share.

declare module "cloudflare:workers" {
  export class DurableObject {
    protected readonly ctx: {
      readonly storage: {
        get<T>(key: string): Promise<T | undefined>;
        put(key: string, value: unknown): Promise<void>;
      };
    };
  }
}
