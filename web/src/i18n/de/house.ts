import type { house as en } from '../en/house';

export const house: Record<keyof typeof en, string> = {
};
