/** One backend of a pool: what is configured, the way to it, and what the isolate knows of it. */
import type { BackendConfig } from "../env.ts";
import { HttpBackend } from "./backend.ts";
import { AiBackend, type WorkersAi } from "./backend-ai.ts";
import type { Transport } from "./backend-reply.ts";
import { type BackendState, stateOf } from "./backend-state.ts";

export class Member {
  readonly config: BackendConfig;
  readonly transport: Transport;
  readonly state: BackendState;

  constructor(config: BackendConfig, transport: Transport, state: BackendState) {
    this.config = config;
    this.transport = transport;
    this.state = state;
  }

  get name(): string {
    return this.config.name;
  }

  get id(): string {
    return `backend:${this.config.name}`;
  }

  /** Why it may not be asked now, in words; null where it may. */
  unwell(): string | null {
    return this.state.circuit.why();
  }

  /** What takes all its places, in words; null where one is free. */
  full(): string | null {
    const { taken, waiting } = this.state.slots;
    if (taken < this.config.concurrency) return null;
    return `it has ${taken} requests under way, and ${waiting} wait`;
  }
}

/** The configured backends as members, with the isolate's own state. `ai` is the Workers AI
 *  binding, which the configuration has checked to be there where a backend needs it. */
export function membersOf(configs: readonly BackendConfig[], ai: WorkersAi | null): Member[] {
  return configs.map((config) => {
    const { url, key, model, name } = config;
    const transport =
      url === null ? new AiBackend(ai!, model) : new HttpBackend({ url, key, model });
    return new Member(config, transport, stateOf(name));
  });
}
