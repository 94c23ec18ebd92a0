/** The tenant of the operator's own key, the only one that may act for the whole deployment. */
export const OPERATOR_TENANT = "default";
