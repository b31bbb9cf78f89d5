import { expect, test } from 'vitest';
import type { Label } from '$/api';
import { en } from '$/i18n/en';
import { conditions, principals, reach, tlpName, tlps } from './label';

const open: Label = { tlp: 'TLP:CLEAR', class: 'unclassified', pap: 'PAP:CLEAR', onward: 'free', attrib: 'may', purge: 'none', mode: 'operational', access: 'copy', purpose: 'all', aud: 'all', sector: 'all', authority: [], caveat: [], named: true };

test.each(tlps)('%s has a sentence of its own', (tlp) => {
  expect(en[reach({ ...open, tlp }).key]).not.toBe('');
  expect(conditions({ ...open, tlp })).toEqual([]);
});

test('no two TLP labels say the same', () => {
  expect(new Set(tlps.map((tlp) => reach({ ...open, tlp }).key)).size).toBe(tlps.length);
});

test('a named audience is who may read it, another one only restricts', () => {
  const aud = ['org:UTO/Utopia CERT', 'person:XER/Erewhon CERT/alice', 'community:Low Lands'];
  expect(reach({ ...open, tlp: 'TLP:RED', aud })).toEqual({ key: 'label.named', values: { who: 'Utopia CERT (UTO), alice, Erewhon CERT (XER), Low Lands' } });
  expect(reach({ ...open, tlp: 'TLP:GREEN', aud, named: false }).key).toBe('label.green');
  expect(conditions({ ...open, tlp: 'TLP:GREEN', aud, named: false })[0]?.key).toBe('label.audience');
});

test('every dimension that restricts is told, and has a text', () => {
  const strict: Label = { ...open, pap: 'PAP:RED', onward: 'none', attrib: 'must-not', purge: 'both', access: 'view', purpose: ['net-defence'], sector: ['energy'], authority: ['act-1'], caveat: ['x'], class: 'NATO:NR', notbefore: '2026-01-01T00:00:00Z', notafter: '2027-01-01T00:00:00Z' };
  const said = conditions(strict);
  expect(said).toHaveLength(12);
  for (const s of said) expect(en[s.key], s.key).toBeTruthy();
});

test('names', () => {
  expect(tlpName('amber+strict')).toBe('TLP:AMBER+STRICT');
  expect(tlpName('TLP:RED')).toBe('TLP:RED');
  expect(principals(['nation:KWT', 'odd'])).toBe('KWT, odd');
});
