/** `brink models add`: fetch, check, convert, upload. Each step can be called again after a break
 *  and goes on: what was fetched and converted is kept until the model is stored. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { MODEL_BYTES_MAX, MODEL_NAME_PATTERN } from "../src/limits.ts";
import { checkDecoder } from "../src/model/check-decoder.ts";
import type { QuantizedType } from "../src/model/quantize.ts";
import { connect } from "./client.ts";
import { type Command, CommandError, SERVICE_OPTIONS, UsageError, type Values } from "./command.ts";
import { type Converted, convert, type TensorError } from "./convert.ts";
import { download, folderOf } from "./download.ts";
import { openGguf, readGgufHeader } from "./gguf-source.ts";
import { BESIDE, openHuggingFace } from "./huggingface.ts";
import { addOnnx } from "./onnx-add.ts";
import { findOnnx } from "./onnx-folder.ts";
import { showBytes, startProgress } from "./progress.ts";
import type { SourceModel } from "./source.ts";
import { oneLine } from "./table.ts";
import { uploadModel } from "./upload.ts";

const FLOATS = new Set(["F32", "F16", "BF16"]);

export const modelsAdd: Command = {
  name: "models add",
  args: "FILE|FOLDER|URL",
  summary: "Put a GGUF, safetensors or ONNX model into the service's store.",
  description:
    "Safetensors need config.json and tokenizer.json beside them. Weights that are floats are\n" +
    "quantized, and the error of each tensor is told. After a break, call it again: what was\n" +
    "fetched, converted or sent is not done twice.\n" +
    "An ONNX encoder, reranker or classifier is a folder with model.onnx, tokenizer.json and\n" +
    "manifest.json, or the files of a Hugging Face export; flags go before what those say.",
  options: {
    name: { type: "string", value: "NAME", help: "what requests call it (its file name)" },
    type: { type: "string", value: "TYPE", help: "q8_0 (the default for floats), q4_0, or keep" },
    context: { type: "string", value: "N", help: "tokens that must fit beside it (2048)" },
    kind: {
      type: "string",
      value: "KIND",
      help: "of ONNX: encoder, reranker or classifier",
    },
    pooling: { type: "string", value: "HOW", help: "of an encoder: mean, cls, last, none" },
    "max-tokens": { type: "string", value: "N", help: "an ONNX model's longest text" },
    labels: { type: "string", value: "A,B", help: "of an ONNX classifier, in the logits' order" },
    cache: { type: "string", value: "DIR", help: "for unfinished work (~/.cache/brink)" },
    ...SERVICE_OPTIONS,
  },
  async run([source, ...more], values) {
    if (source === undefined || more.length > 0) throw new UsageError("name one file or URL");
    const silent = values.json === true;
    const cache = cacheFolder(values);
    const fetched = /^https?:\/\//.test(source);
    const path = fetched ? await fetchSource(source, cache, silent) : resolve(source);
    if (!existsSync(path)) throw new CommandError(`${path} does not exist`);
    const onnx = await findOnnx(path);
    refuseStrangeFlags(values, onnx !== null);
    if (onnx !== null)
      return addOnnx(connect(values), onnx, checkedName(values.name ?? onnx.name), values);
    const name = nameOf(values, path);
    const prepared = await prepare(path, name, values, cache, silent);
    if (!silent) describe(prepared);
    const model = await uploadModel(connect(values), name, prepared.file, silent);
    if (prepared.temporary) await forget(prepared.file.path);
    if (fetched) await rm(dirname(path), { recursive: true, force: true });
    if (!silent) console.log(`stored ${name}, ${showBytes(prepared.file.bytes)}`);
    return {
      model,
      converted: prepared.errors.length > 0,
      tensors: prepared.errors,
      kept: prepared.kept,
    };
  },
};

function cacheFolder(values: Values): string {
  if (typeof values.cache === "string") return resolve(values.cache);
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "brink");
}

function nameOf(values: Values, path: string): string {
  const own = /^(model|pytorch_model)\b/.test(basename(path))
    ? basename(dirname(path))
    : basename(path, extname(path));
  return checkedName(values.name ?? own);
}

function checkedName(value: unknown): string {
  const name = String(value);
  if (MODEL_NAME_PATTERN.test(name)) return name;
  throw new UsageError(
    `${JSON.stringify(name)} cannot be a model's name: give another with --name`,
  );
}

/** Throws UsageError for a flag that would mean nothing to such a model. */
function refuseStrangeFlags(values: Values, onnx: boolean): void {
  const strange = onnx ? ["type", "context"] : ["kind", "pooling", "max-tokens", "labels"];
  const given = strange.filter((flag) => values[flag] !== undefined);
  if (given.length === 0) return;
  throw new UsageError(`--${given[0]} is not for ${onnx ? "an ONNX model" : "a decoder"}`);
}

/** The file at the URL, and of a checkpoint the files beside it. */
async function fetchSource(url: string, cache: string, silent: boolean): Promise<string> {
  if (new URL(url).pathname.endsWith(".onnx"))
    throw new UsageError(
      "an ONNX model is a folder of files: fetch it first, then name the folder",
    );
  const folder = join(cache, "downloads", folderOf(url));
  if (new URL(url).pathname.endsWith(".gguf")) return download(url, folder, silent);
  for (const [i, name] of BESIDE.entries())
    await download(new URL(name, url).href, folder, silent).catch((error) => {
      if (i < 2) throw error; // the others not every checkpoint has
    });
  const path = await download(url, folder, silent);
  if (!path.endsWith(".index.json")) return path;
  const { weight_map } = JSON.parse(await readFile(path, "utf8")) as {
    weight_map: Record<string, string>;
  };
  for (const shard of new Set(Object.values(weight_map))) {
    // Resolved as an address, such a name may lead to any host: `\\host\file`, `http:host`.
    if (!/^[\w.-]+$/.test(shard))
      throw new CommandError(`the index names a file elsewhere: ${shard}`);
    await download(new URL(shard, url).href, folder, silent);
  }
  return path;
}

interface Prepared {
  file: { path: string; bytes: number; sha256: string };
  /** Whether the file was made here and goes when it is stored. */
  temporary: boolean;
  errors: TensorError[];
  /** Matrices that could not be quantized. */
  kept: string[];
}

/** The file to upload, checked. */
async function prepare(
  path: string,
  name: string,
  values: Values,
  cache: string,
  silent: boolean,
): Promise<Prepared> {
  const asked = String(values.type ?? "").toUpperCase();
  if (!["", "Q8_0", "Q4_0", "KEEP"].includes(asked))
    throw new UsageError(`--type is q8_0, q4_0 or keep, not ${String(values.type)}`);
  const context = Number(values.context ?? 2048);
  if (!Number.isInteger(context) || context < 1) throw new UsageError("--context is a number");
  const isGguf = path.endsWith(".gguf");
  const source = await openSource(path, isGguf);
  try {
    const floats = source.tensors.some(({ type, dims }) => dims.length > 1 && FLOATS.has(type));
    const quantized = source.tensors.some(({ type }) => !FLOATS.has(type));
    if (quantized && (asked === "Q8_0" || asked === "Q4_0"))
      throw new CommandError("the file is quantized already: --type keep, or bring its floats");
    if (!isGguf && asked === "KEEP")
      throw new CommandError("safetensors must become GGUF: --type q8_0 or q4_0");
    if (quantized || asked === "KEEP" || (isGguf && !floats)) return await keep(path, context);
    const type = (asked === "" ? "Q8_0" : asked) as QuantizedType;
    return await convertCached(source, name, type, context, cache, silent);
  } finally {
    await source.close();
  }
}

async function openSource(path: string, isGguf: boolean): Promise<SourceModel> {
  if (isGguf) return openGguf(path);
  if (/\.safetensors(\.index\.json)?$/.test(path)) return openHuggingFace(path);
  throw new CommandError(`${path} is neither .gguf nor .safetensors nor .safetensors.index.json`);
}

async function keep(path: string, context: number): Promise<Prepared> {
  await check(path, context);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const { size } = await stat(path);
  return {
    file: { path, bytes: size, sha256: hash.digest("hex") },
    temporary: false,
    errors: [],
    kept: [],
  };
}

/** Throws where the generator could not load the file with a context of so many tokens. */
async function check(path: string, context: number): Promise<void> {
  const { size } = await stat(path);
  if (size > MODEL_BYTES_MAX)
    throw new CommandError(
      `the model has ${showBytes(size)}, the limit is ${showBytes(MODEL_BYTES_MAX)}`,
    );
  checkDecoder(await readGgufHeader(path), context);
}

/** Converts, unless an earlier call has done so: its result stands beside the record of what it was
 *  made from, and goes only when the model is stored. */
async function convertCached(
  source: SourceModel,
  name: string,
  type: QuantizedType,
  context: number,
  cache: string,
  silent: boolean,
): Promise<Prepared> {
  const from = { type, files: await Promise.all(source.files.map(stateOf)) };
  await mkdir(cache, { recursive: true });
  const target = join(cache, `${name}-${type.toLowerCase()}.gguf`);
  const known = await readRecord(target, from);
  if (known !== null) {
    await check(target, context);
    return prepared(target, known);
  }
  let total = 0;
  const progress: { bar: ReturnType<typeof startProgress> | null } = { bar: null };
  const converted = await convert(source, type, target, (done, all) => {
    total = all;
    progress.bar ??= startProgress(`convert to ${type.toLowerCase()}`, total, silent);
    progress.bar.update(done);
  }).finally(() => progress.bar?.end());
  await check(target, context);
  await writeFile(recordOf(target), JSON.stringify({ from, ...converted }));
  return prepared(target, converted);
}

/** Changes when the file does, comes or goes. */
async function stateOf(path: string) {
  const found = await stat(path).catch(() => null);
  return { path, size: found?.size ?? null, mtimeMs: found?.mtimeMs ?? null };
}

function prepared(path: string, { bytes, sha256, errors, kept }: Converted): Prepared {
  return { file: { path, bytes, sha256 }, temporary: true, errors, kept };
}

const recordOf = (target: string) => `${target}.json`;

/** What a finished conversion of just this source left, or null. */
async function readRecord(target: string, from: object): Promise<Converted | null> {
  if (!existsSync(target) || !existsSync(recordOf(target))) return null;
  const record = JSON.parse(await readFile(recordOf(target), "utf8")) as Converted & {
    from: object;
  };
  const same = JSON.stringify(record.from) === JSON.stringify(from);
  return same && (await stat(target)).size === record.bytes ? record : null;
}

async function forget(target: string): Promise<void> {
  await rm(target, { force: true });
  await rm(recordOf(target), { force: true });
}

/** Names of tensors are the file's, which may be anybody's. */
function describe({ errors, kept }: Prepared): void {
  const width = Math.max(0, ...errors.map(({ name }) => oneLine(name).length));
  const column = (name: string) => oneLine(name).padEnd(width);
  for (const { name, from, to, rmse, max } of errors)
    console.log(
      `${column(name)}  ${from} -> ${to}  rmse ${(100 * rmse).toFixed(3)} %` +
        `  max ${max.toPrecision(3)}`,
    );
  for (const name of kept)
    console.log(`${column(name)}  stays F32: its rows are no whole number of 32`);
}
