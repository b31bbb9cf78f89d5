/** Texts of the house: administration, the own account, files. */
export const house = {
} as const;
