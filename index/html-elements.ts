/** What each HTML element means to a text. Elements that are not named here are inline. */

/** Has no content and no end tag. */
export const VOID = new Set(
  "area base br col embed hr img input link meta param source track wbr".split(" "),
);

/** Is not read: it is no text, is not shown, or leads elsewhere. */
export const HIDDEN = new Set(
  (
    "script style nav noscript template iframe object svg canvas audio video map select datalist " +
    "button textarea noembed noframes dialog"
  ).split(" "),
);

/** Parts paragraphs, and means nothing more. */
export const BLOCK = new Set(
  (
    "address article aside body center dd details div dl dt fieldset figcaption figure " +
    "footer form header hgroup html legend main menu optgroup option p section summary " +
    "tbody tfoot thead caption"
  ).split(" "),
);

export const HEADINGS: Record<string, number> = { h1: 1, h2: 2, h3: 3, h4: 4, h5: 5, h6: 6 };

/** Elements whose ends matter, beside the hidden ones and headings. */
export const TRACKED = new Set("ul ol li blockquote pre table tr td th".split(" "));
