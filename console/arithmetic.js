/** The arithmetic that an explanation states, taken apart and computed. Pure. */

/** The summands of a formula of numbers, + - * / and parentheses, in their order; null where it is
 *  anything else.
 * @param {string} formula
 * @returns {{ text: string, value: number }[] | null} */
export function summandsOf(formula) {
  /** @type {string[]} */
  const texts = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < formula.length; i++) {
    if (formula[i] === "(") depth++;
    else if (formula[i] === ")") depth--;
    else if (depth === 0 && formula.startsWith(" + ", i)) {
      texts.push(formula.slice(from, i));
      from = i + 3;
    }
  }
  texts.push(formula.slice(from));
  const parts = texts.map((text) => ({ text, value: compute(text) }));
  return parts.every(({ value }) => Number.isFinite(value)) ? parts : null;
}

const TOKEN = /\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?|[-+*/()])/y;

/** NaN for what is no formula.
 * @param {string} text */
function compute(text) {
  const tokens = tokensOf(text);
  if (tokens === null) return Number.NaN;
  let at = 0;
  /** @returns {number} */
  const atom = () => {
    const token = tokens[at++];
    if (token === "-") return -atom();
    if (token !== "(") return token === undefined ? Number.NaN : Number(token);
    const value = sum();
    return tokens[at++] === ")" ? value : Number.NaN;
  };
  const product = () => {
    let value = atom();
    while (tokens[at] === "*" || tokens[at] === "/")
      value = tokens[at++] === "*" ? value * atom() : value / atom();
    return value;
  };
  const sum = () => {
    let value = product();
    while (tokens[at] === "+" || tokens[at] === "-")
      value = tokens[at++] === "+" ? value + product() : value - product();
    return value;
  };
  const value = sum();
  return at === tokens.length ? value : Number.NaN;
}

/** @param {string} text
 *  @returns {string[] | null} */
function tokensOf(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const found = TOKEN.exec(text);
    if (found === null) return null;
    tokens.push(/** @type {string} */ (found[1]));
  }
  return tokens;
}
