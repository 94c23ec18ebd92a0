import { WorkerEntrypoint } from "cloudflare:workers";
export class Generator extends WorkerEntrypoint {
  override async fetch(request: Request): Promise<Response> {
    return Response.json({
      here: true,
      env: Object.keys(this.env as object),
      X: (this.env as { BRINK_LOCAL?: string }).BRINK_LOCAL ?? null,
      url: request.url,
    });
  }
}
export default { fetch: () => new Response("not found", { status: 404 }) };
