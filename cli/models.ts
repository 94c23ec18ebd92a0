/** `brink models list` and `brink models remove`. */
import { connect } from "./client.ts";
import { type Command, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { showBytes } from "./progress.ts";
import { table } from "./table.ts";

interface StoredModel {
  name: string;
  bytes: number;
  sha256: string;
  kind: string;
  architecture: string | null;
  created_at: number;
}

export const modelsList: Command = {
  name: "models list",
  args: "",
  summary: "List the models in the service's store.",
  options: SERVICE_OPTIONS,
  async run(positionals, values) {
    if (positionals.length > 0) throw new UsageError(`unexpected ${positionals.join(" ")}`);
    const reply = (await connect(values).call("GET", "/admin/models")) as {
      models: StoredModel[];
    };
    if (values.json) return reply;
    if (reply.models.length === 0) console.log("no models: npx brink models add FILE adds one");
    const rows = reply.models.map(({ name, kind, architecture, bytes, created_at }) => [
      name,
      kind,
      architecture ?? "onnx",
      showBytes(bytes),
      new Date(created_at).toISOString().slice(0, 10),
    ]);
    if (rows.length > 0) console.log(table(rows));
    return reply;
  },
};

export const modelsRemove: Command = {
  name: "models remove",
  args: "NAME",
  summary: "Remove a model from the service's store.",
  options: SERVICE_OPTIONS,
  async run([name, ...more], values) {
    if (name === undefined || more.length > 0) throw new UsageError("name one model");
    const path = `/admin/models/${encodeURIComponent(name)}`;
    const reply = await connect(values).call("DELETE", path);
    if (!values.json) console.log(`removed ${name}`);
    return reply;
  },
};
