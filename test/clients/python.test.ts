/** The official Python client against the built Worker, where BRINK_PYTHON names an interpreter
 *  that has it: `python -m venv v && v/bin/pip install openai`, then BRINK_PYTHON=v/bin/python. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { START_MS_MAX } from "../support/running-service.ts";
import type { Backed } from "../support/service-with-backend.ts";
import { serve } from "./served.ts";

const PYTHON = process.env.BRINK_PYTHON;
const REASON = PYTHON ? "" : " (skipped: BRINK_PYTHON names no interpreter with openai)";

let served: Backed;
beforeAll(async () => {
  if (PYTHON) served = await serve();
}, START_MS_MAX);
afterAll(() => served?.stop());

it.skipIf(!PYTHON)(
  `the Python client's calls all succeed${REASON}`,
  async () => {
    const script = join(import.meta.dirname, "python_client.py");
    const { service, backend } = served;
    const base = backend.url.replace(/\/v1$/, "");
    const { stdout } = await promisify(execFile)(PYTHON!, [script, service.url, base]);
    expect(stdout.trim().split("\n").at(-1)).toBe("12 calls as they must be");
  },
  120_000,
);
