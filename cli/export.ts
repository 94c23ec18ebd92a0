/** `brink export`: a namespace as NDJSON that `brink ingest` takes back. */
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { connect } from "./client.ts";
import { type Command, CommandError, SERVICE_OPTIONS, UsageError } from "./command.ts";
import { namespacePath } from "./ingest-job.ts";
import { showBytes } from "./progress.ts";

export const exportCommand: Command = {
  name: "export",
  args: "NS",
  summary: "Write a namespace as NDJSON, a document a line.",
  description:
    "It goes to stdout: brink export NS > file.ndjson; brink ingest file.ndjson --namespace NS\n" +
    "takes it back. With --output the file is there only once it is whole.",
  options: {
    output: { type: "string", value: "FILE", help: "write there and not to stdout" },
    ...SERVICE_OPTIONS,
  },
  async run([namespace, ...more], values) {
    if (namespace === undefined || more.length > 0) throw new UsageError("name one namespace");
    const output = typeof values.output === "string" ? values.output : null;
    if (values.json && output === null) throw new UsageError("--json needs --output FILE");
    const { body } = await connect(values).stream(`${namespacePath(namespace)}/export`);
    const counted = { documents: 0, bytes: 0 };
    const counter = new Transform({
      transform(chunk: Uint8Array, _, done) {
        counted.bytes += chunk.length;
        for (const byte of chunk) if (byte === 10) counted.documents++;
        done(null, chunk);
      },
    });
    try {
      await write(Readable.fromWeb(body as never), counter, output);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EPIPE") return counted; // it reads no more
      throw new CommandError(
        `the export broke off after ${counted.documents} documents: ${(error as Error).message}`,
      );
    }
    const { documents, bytes } = counted;
    if (!values.json) console.error(`${namespace}: ${documents} documents, ${showBytes(bytes)}`);
    return { namespace, documents, bytes, output };
  },
};

async function write(source: Readable, counter: Transform, output: string | null): Promise<void> {
  if (output === null) return pipeline(source, counter, process.stdout, { end: false });
  const part = `${output}.part`;
  try {
    await pipeline(source, counter, createWriteStream(part));
    await rename(part, output);
  } finally {
    await rm(part, { force: true });
  }
}
