/** Finds the tokens that stand for themselves in a text: user-defined ones always, control tokens
 *  only in text that a template wrote. */

import { SPECIAL_NODES_MAX, SPECIAL_TOKENS_MAX } from "../limits.ts";
import { invalidModel } from "./gguf.ts";

interface Node {
  readonly children: Map<number, Node>;
  /** The token that ends here; -1 if none does. */
  id: number;
  control: boolean;
}

const newNode = (): Node => ({ children: new Map(), id: -1, control: false });

/** A token found in a text. */
export interface SpecialMatch {
  readonly id: number;
  /** UTF-16 units of the text that it stands for. */
  readonly length: number;
}

/** A trie of special tokens. At each place the longest matches, as in the package `tokenizers` and
 *  in SentencePiece. (llama.cpp looks for the longest token of all first, which differs only where
 *  two special tokens overlap.) */
export class SpecialTokens {
  private readonly root = newNode();
  private tokens = 0;
  private nodes = 0;

  /** Errors: invalid_model_file past SPECIAL_TOKENS_MAX tokens or SPECIAL_NODES_MAX nodes. */
  add(text: string, id: number, control: boolean): void {
    let node = this.root;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let child = node.children.get(unit);
      if (!child) {
        child = newNode();
        node.children.set(unit, child);
        this.nodes++;
      }
      node = child;
    }
    this.tokens++;
    if (this.tokens > SPECIAL_TOKENS_MAX || this.nodes > SPECIAL_NODES_MAX)
      throw invalidModel(
        `more than ${SPECIAL_TOKENS_MAX} control and user-defined tokens, or ` +
          `${SPECIAL_NODES_MAX} characters in them`,
      );
    node.id = id;
    node.control = control;
  }

  /** The longest token at `at`; a control token only if `control`. O(length of the longest). */
  match(text: string, at: number, control: boolean): SpecialMatch | null {
    let found: SpecialMatch | null = null;
    let node: Node | undefined = this.root;
    for (let i = at; i < text.length; i++) {
      node = node.children.get(text.charCodeAt(i));
      if (!node) break;
      if (node.id !== -1 && (control || !node.control)) found = { id: node.id, length: i + 1 - at };
    }
    return found;
  }
}
