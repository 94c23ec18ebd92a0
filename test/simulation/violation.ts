/** Something is not as it must be. Of one `kind` are those that a shrunk trace may swap. */
export class Violation extends Error {
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}
