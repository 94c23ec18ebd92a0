/** The generator Worker. Its entrypoint is not the default one, so that only a service binding
 *  reaches it: whatever comes over a route, should one ever be added, finds nothing here. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { GenerateCall } from "../engine/generator-protocol.ts";
import { ModelStore } from "../store/model-store.ts";
import { failedResponse, generate, status } from "./serve.ts";

/** The bindings of wrangler.generator.toml. */
export interface GeneratorEnv {
  MODELS: R2Bucket;
}

export class Generator extends WorkerEntrypoint<GeneratorEnv> {
  /** GET /status and POST /generate; see src/engine/generator-protocol.ts. */
  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/status") return Response.json(status());
    if (pathname !== "/generate") return new Response(null, { status: 404 });
    try {
      const call = (await request.json()) as GenerateCall;
      const keepAlive = (work: Promise<unknown>) => this.ctx.waitUntil(work);
      return await generate(new ModelStore(this.env.MODELS), call, request.signal, keepAlive);
    } catch (error) {
      return failedResponse(error, request.signal);
    }
  }
}

export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler<GeneratorEnv>;
