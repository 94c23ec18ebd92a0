/** /admin/router: what the router aims for, what it learned, and the way back. */
import { readJson } from "./body.ts";
import { endpoint, newApi } from "./context.ts";
import { parse } from "./schema/common.ts";
import { jsonBody, NEEDS_ADMIN_KEY, replies } from "./schema/replies.ts";
import {
  CalibrateBody,
  ForgottenReply,
  OutcomesQuery,
  OutcomesReply,
  parseCalibrate,
  parseRouter,
  parseVersion,
  RollbackRequest,
  RouterReply,
  RouterRequest,
  VersionBodyRequest,
  VersionReply,
  VersionsReply,
} from "./schema/router.ts";
import { CurvesReply, PreviewQuery, PreviewReply, parsePreview } from "./schema/router-target.ts";

export const adminRouter = newApi();

endpoint(
  adminRouter,
  {
    method: "get",
    path: "/admin/router",
    summary: "Show the router's target, threshold, calibration and drift",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "The router's state", RouterReply),
  },
  async (c) => c.json(await c.get("service").routerAdmin.get(c.get("caller"))),
);

endpoint(
  adminRouter,
  {
    method: "put",
    path: "/admin/router",
    summary: "Set the router's target and what it records",
    description: "What is not named stays.",
    security: NEEDS_ADMIN_KEY,
    request: { body: jsonBody(RouterRequest) },
    responses: replies(200, "The router's state from now on", RouterReply),
  },
  async (c) => {
    const changes = parseRouter(await readJson(c));
    return c.json(await c.get("service").routerAdmin.put(c.get("caller"), changes));
  },
);

endpoint(
  adminRouter,
  {
    method: "get",
    path: "/admin/router/preview",
    summary: "Show what another target would mean",
    description: "One of max_risk, backend_share and budget_usd_per_1k. Nothing is set.",
    security: NEEDS_ADMIN_KEY,
    request: { query: PreviewQuery },
    responses: replies(200, "Its threshold and what is expected of it", PreviewReply),
  },
  async (c) => {
    const target = parsePreview(c.req.query());
    return c.json(await c.get("service").routerAdmin.preview(c.get("caller"), target));
  },
);

endpoint(
  adminRouter,
  {
    method: "get",
    path: "/admin/router/curves",
    summary: "Show what the calibration set says at every threshold",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "Curves to draw", CurvesReply),
  },
  async (c) => c.json(await c.get("service").routerAdmin.curves(c.get("caller"))),
);

endpoint(
  adminRouter,
  {
    method: "post",
    path: "/admin/router/calibrate",
    summary: "Calibrate by your own labels or by those that were collected",
    description: "Makes a version, which is in use from then on.",
    security: NEEDS_ADMIN_KEY,
    request: { body: jsonBody(CalibrateBody) },
    responses: replies(200, "The router's state from now on", RouterReply),
  },
  async (c) => {
    const request = parseCalibrate(await readJson(c));
    return c.json(await c.get("service").routerAdmin.calibrate(c.get("caller"), request));
  },
);

endpoint(
  adminRouter,
  {
    method: "get",
    path: "/admin/router/versions",
    summary: "List the versions of weights and calibration",
    description: "Newest first, the shipped one last.",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "The versions", VersionsReply),
  },
  async (c) => c.json({ versions: await c.get("service").routerAdmin.versions(c.get("caller")) }),
);

endpoint(
  adminRouter,
  {
    method: "post",
    path: "/admin/router/versions",
    summary: "Add weights with their calibration set",
    description: "As npx brink router train writes them. In use only with `activate: true`.",
    security: NEEDS_ADMIN_KEY,
    request: { body: jsonBody(VersionBodyRequest) },
    responses: replies(200, "The version", VersionReply),
  },
  async (c) => {
    const request = parseVersion(await readJson(c));
    return c.json(await c.get("service").routerAdmin.addVersion(c.get("caller"), request));
  },
);

endpoint(
  adminRouter,
  {
    method: "post",
    path: "/admin/router/rollback",
    summary: "Go back to a version",
    description: "It is used exactly as it was, and automatic calibration ends.",
    security: NEEDS_ADMIN_KEY,
    request: { body: jsonBody(RollbackRequest) },
    responses: replies(200, "The router's state from now on", RouterReply),
  },
  async (c) => {
    const { version } = parse(RollbackRequest, await readJson(c));
    return c.json(await c.get("service").routerAdmin.rollBack(c.get("caller"), version));
  },
);

endpoint(
  adminRouter,
  {
    method: "get",
    path: "/admin/router/outcomes",
    summary: "List recent answers and what became known of them",
    description: "Newest first.",
    security: NEEDS_ADMIN_KEY,
    request: { query: OutcomesQuery },
    responses: replies(200, "A page", OutcomesReply),
  },
  async (c) => {
    const { limit, cursor, labelled } = parse(OutcomesQuery, c.req.query());
    const page = {
      limit,
      cursor: cursor === undefined ? null : Number(cursor),
      labelled: labelled === "true",
    };
    return c.json(await c.get("service").routerAdmin.outcomes(c.get("caller"), page));
  },
);

endpoint(
  adminRouter,
  {
    method: "delete",
    path: "/admin/router/outcomes",
    summary: "Forget all recent answers",
    description: "Labels and counts, which hold no text, stay.",
    security: NEEDS_ADMIN_KEY,
    responses: replies(200, "They are gone", ForgottenReply),
  },
  async (c) =>
    c.json({ deleted: await c.get("service").routerAdmin.forgetOutcomes(c.get("caller")) }),
);
