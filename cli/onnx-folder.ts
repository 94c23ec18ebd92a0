/** An ONNX model on disk, as Hugging Face's exports lay it out or as Brink's own three files. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { CommandError } from "./command.ts";

/** Where exports put the graph, the unquantized ones first. */
const GRAPHS = [
  "model.onnx",
  "onnx/model.onnx",
  "model_quantized.onnx",
  "onnx/model_quantized.onnx",
] as const;

export interface OnnxFolder {
  /** What the operator named. */
  path: string;
  /** The graphs to choose from, the most exact first; not empty. */
  graphs: string[];
  /** Where files beside the graph may lie, the nearest first. */
  folders: string[];
  /** The model's name, for want of one from the operator. */
  name: string;
}

/** The model that a folder or a .onnx file is, or null for another file. Throws CommandError for a
 *  folder without a graph. */
export async function findOnnx(path: string): Promise<OnnxFolder | null> {
  const isFolder = (await stat(path)).isDirectory();
  if (!isFolder && !path.endsWith(".onnx")) return null;
  const nearest = isFolder ? path : dirname(path);
  const root = basename(nearest) === "onnx" ? dirname(nearest) : nearest;
  const folders = root === nearest ? [root] : [nearest, root];
  const ownName = isFolder || /^model\b|^model_/.test(basename(path));
  const name = ownName ? basename(root) : basename(path, extname(path));
  const graphs = isFolder
    ? GRAPHS.map((graph) => join(path, graph)).filter((file) => existsSync(file))
    : [path];
  if (graphs.length > 0) return { path, graphs, folders, name };
  throw new CommandError(
    `${path} has none of ${GRAPHS.join(", ")}; a decoder is added by naming its file`,
  );
}

/** The text of a file beside the graph, or null where there is none. */
export async function readBeside({ folders }: OnnxFolder, name: string): Promise<string | null> {
  const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  return path === undefined ? null : readFile(path, "utf8");
}
