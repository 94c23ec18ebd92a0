/** GET /v1/models and /v1/models/{id} -> 200: what `model` may name. Errors: model_not_found, and
 *  where there may be such a model, model_unavailable and storage_unavailable. */
import { ServiceError } from "../errors.ts";
import type { ModelInfo } from "../pipeline/types.ts";
import { endpoint, newApi } from "./context.ts";
import { PathText, parse, z } from "./schema/common.ts";
import { ModelReply, ModelsReply, NEEDS_KEY, replies } from "./schema/replies.ts";

export const models = newApi();

endpoint(
  models,
  {
    method: "get",
    path: "/v1/models",
    summary: "List the models",
    security: NEEDS_KEY,
    responses: replies(200, "Every model this deployment has", ModelsReply),
  },
  async (c) => {
    const { models } = await c.get("service").models();
    return c.json({ object: "list", data: models.map(describeModel) });
  },
);

const Params = z.object({ id: PathText.openapi({ description: "As GET /v1/models lists it." }) });

endpoint(
  models,
  {
    method: "get",
    path: "/v1/models/{id}",
    summary: "Describe a model",
    security: NEEDS_KEY,
    request: { params: Params },
    responses: replies(200, "The model", ModelReply),
  },
  async (c) => {
    const { id } = parse(Params, c.req.param());
    const { models, away } = await c.get("service").models();
    const model = models.find((candidate) => candidate.id === id);
    if (model === undefined && away !== null) throw away;
    if (model === undefined)
      throw new ServiceError("model_not_found", `no model ${JSON.stringify(id.slice(0, 100))}`, {
        param: "model",
      });
    return c.json(describeModel(model));
  },
);

/** OpenAI's shape; `created` is 0 where a deployment does not know when a model was made. */
function describeModel({ id, kind, created_at = 0, kernels }: ModelInfo) {
  const created = Math.floor(created_at / 1000);
  const variants = kernels === undefined ? {} : { kernels };
  return { id, object: "model" as const, created, owned_by: "brink", kind, ...variants };
}
