/** /admin/models: the operator's models, and their uploads in parts that survive a break. For the
 *  operator's keys only. */
import type { StoredModel } from "../store/model-store.ts";
import { readBinary, readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { parse } from "./schema/common.ts";
import {
  ModelParams,
  PartParams,
  PartReply,
  parseUpload,
  StoredModelReply,
  StoredModelsReply,
  UploadParams,
  UploadReply,
  UploadRequest,
} from "./schema/models.ts";
import { DeletedReply, jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";

export const adminModels = newApi();

/** A model as it may be shown: where its bytes lie is nobody's business. */
function describe({ file: _, tokenizer_bytes: __, ...shown }: StoredModel) {
  return shown;
}

endpoint(
  adminModels,
  {
    method: "get",
    path: "/admin/models",
    summary: "List the stored models",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "The models by name", StoredModelsReply),
  },
  async (c) => {
    const models = await c.get("service").modelAdmin.list(c.get("caller"));
    return c.json({ models: models.map(describe) });
  },
);

endpoint(
  adminModels,
  {
    method: "delete",
    path: "/admin/models/{name}",
    summary: "Remove a model",
    description: "An isolate that has loaded it may go on answering with it for 30 seconds.",
    security: NEEDS_ADMIN_KEY,
    request: { params: ModelParams },
    responses: replies(200, "It is gone", DeletedReply),
  },
  async (c) => {
    const { name } = parse(ModelParams, c.req.param());
    await c.get("service").modelAdmin.remove(c.get("caller"), name);
    return c.json({ id: name, deleted: true });
  },
);

endpoint(
  adminModels,
  {
    method: "post",
    path: "/admin/models/{name}/uploads",
    summary: "Begin an upload, or find the unfinished one of the same bytes",
    security: NEEDS_ADMIN_KEY,
    request: { params: ModelParams, body: jsonBody(UploadRequest) },
    responses: replies(201, "The upload, with the parts that are there", UploadReply),
  },
  async (c) => {
    const { name } = parse(ModelParams, c.req.param());
    const file = parseUpload(await readJson(c));
    return c.json(await c.get("service").modelAdmin.createUpload(c.get("caller"), name, file), 201);
  },
);

endpoint(
  adminModels,
  {
    method: "get",
    path: "/admin/models/{name}/uploads/{upload_id}",
    summary: "Show an upload and the parts that are there",
    security: NEEDS_ADMIN_KEY,
    request: { params: UploadParams },
    responses: replies(200, "The upload", UploadReply),
  },
  async (c) => {
    const { name, upload_id } = parse(UploadParams, c.req.param());
    return c.json(await c.get("service").modelAdmin.getUpload(c.get("caller"), name, upload_id));
  },
);

endpoint(
  adminModels,
  {
    method: "delete",
    path: "/admin/models/{name}/uploads/{upload_id}",
    summary: "Give up an upload",
    security: NEEDS_ADMIN_KEY,
    request: { params: UploadParams },
    responses: replies(200, "It is gone", DeletedReply),
  },
  async (c) => {
    const { name, upload_id } = parse(UploadParams, c.req.param());
    await c.get("service").modelAdmin.removeUpload(c.get("caller"), name, upload_id);
    return c.json({ id: upload_id, deleted: true });
  },
);

endpoint(
  adminModels,
  {
    method: "put",
    path: "/admin/models/{name}/uploads/{upload_id}/parts/{part}",
    summary: "Send a part",
    description: "A part sent again replaces the first. Parts may come in any order.",
    security: NEEDS_ADMIN_KEY,
    request: {
      params: PartParams,
      body: { required: true, content: { "application/octet-stream": { schema: {} } } },
    },
    responses: replies(200, "It is stored", PartReply),
  },
  async (c) => {
    const { name, upload_id, part } = parse(PartParams, c.req.param());
    const bytes = await readBinary(c);
    await c.get("service").modelAdmin.putPart(c.get("caller"), name, upload_id, part, bytes);
    return c.json({ part, bytes: bytes.byteLength });
  },
);

endpoint(
  adminModels,
  {
    method: "post",
    path: "/admin/models/{name}/uploads/{upload_id}/complete",
    summary: "Check the uploaded file and make it a model",
    description: "A model of that name is replaced. A file that fails its checks is removed.",
    security: NEEDS_ADMIN_KEY,
    request: { params: UploadParams },
    responses: replies(200, "The model", StoredModelReply),
  },
  async (c) => {
    const { name, upload_id } = parse(UploadParams, c.req.param());
    return c.json(
      describe(await c.get("service").modelAdmin.complete(c.get("caller"), name, upload_id)),
    );
  },
);
