/** GET /v1/models and /v1/models/{id} -> 200: what `model` may name. Errors: model_not_found. */
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
  (c) => c.json({ object: "list", data: c.var.service.models().map(describeModel) }),
);

const Params = z.object({ id: PathText });

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
  (c) => {
    const { id } = parse(Params, c.req.param());
    const model = c.var.service.models().find((candidate) => candidate.id === id);
    if (model === undefined)
      throw new ServiceError("model_not_found", `no model ${JSON.stringify(id.slice(0, 100))}`, {
        param: "model",
      });
    return c.json(describeModel(model));
  },
);

/** OpenAI's shape; `created` is 0 because a deployment does not know when its models were made. */
function describeModel({ id, kind, kernels }: ModelInfo) {
  return { id, object: "model" as const, created: 0, owned_by: "brink", kind, kernels };
}
