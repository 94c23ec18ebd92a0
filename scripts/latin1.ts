/** Source text in which every character fits in one byte. */

/** A bundle with each character above U+00FF written as an escape. V8 holds a script's source for
 *  as long as the script lives, and one such character makes it hold all of it with two bytes a
 *  character. esbuild escapes them in strings and templates; what it leaves are those of regular
 *  expressions, where the escape of each UTF-16 unit means the same with and without the flag u,
 *  and of comments, where it means nothing. */
export function toLatin1(source: string): string {
  return source.replace(/(\\*)([^\0-\xff])/g, (_, slashes: string, unit: string) => {
    const code = unit.charCodeAt(0).toString(16).padStart(4, "0");
    // An odd backslash escaped this character, which needs none: it begins the new escape.
    return slashes.length % 2 === 1 ? `${slashes}u${code}` : `${slashes}\\u${code}`;
  });
}
