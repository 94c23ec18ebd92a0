/** GET /openapi.json -> 200, generated from the schemas that parse the requests. Needs no key. */
import type { Api } from "./context.ts";
import { ChatChunk } from "./schema/replies.ts";

/** Adds the endpoint; call it after every other group is mounted. The document is made on first
 *  use and kept, since it does not depend on the request. */
export function addOpenApi(app: Api): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An inference key or an admin key.",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "adminKey", {
    type: "http",
    scheme: "bearer",
    description: "An admin key.",
  });
  app.openAPIRegistry.register("ChatChunk", ChatChunk);
  let text: string | null = null;
  app.get("/openapi.json", (c) => {
    text ??= JSON.stringify(makeDocument(app));
    return c.body(text, 200, { "content-type": "application/json; charset=utf-8" });
  });
}

function makeDocument(app: Api) {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Brink",
      version: "1",
      description: "Answers questions at the network edge; hard ones go to a backend model.",
      license: { name: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
  });
}

/** The methods that the mounted endpoints take at `path`, upper case; empty for an unknown path. */
export function methodsAt(app: Api, path: string): string[] {
  const wanted = path.split("/");
  const methods = app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route") return [];
    const steps = definition.route.path.split("/");
    const fits =
      steps.length === wanted.length &&
      steps.every((step, i) => step === wanted[i] || (step.startsWith("{") && wanted[i] !== ""));
    if (!fits) return [];
    const method = definition.route.method.toUpperCase();
    return method === "GET" ? ["GET", "HEAD"] : [method]; // as a GET without its body
  });
  return [...new Set(methods)];
}
