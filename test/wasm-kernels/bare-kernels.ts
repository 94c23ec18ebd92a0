/** Kernels by their names, for those that the index binds in memories of its own. */
import { Arena } from "../../src/model/arena.ts";
import { kernelsModule } from "./arena.ts";

export class BareKernels extends Arena {
  constructor() {
    super(kernelsModule, 2 ** 26);
  }

  run(name: string, ...args: number[]): number {
    return this.call(name, ...args);
  }
}
