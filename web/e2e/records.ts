const green = 'marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb';
const clear = 'marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487';
const red = 'marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1';

/** An indicator that changes between two imports. */
export const shifting = 'indicator--6b616fc1-1505-48e3-8b2c-0d19337bff39';
/** A note that says two things about who may read it: it waits in quarantine. */
export const doubtful = 'note--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061';
/** A tool that is removed, and one that is purged. */
export const spare = ['tool--3aa41f4b-1f73-4c07-9a40-0f1b3c0d7e11', 'tool--3aa41f4b-1f73-4c07-9a40-0f1b3c0d7e12'];

/** A tool that is put under another label. */
export const growing = 'tool--3aa41f4b-1f73-4c07-9a40-0f1b3c0d7e13';

const first = '2026-02-01T08:00:00.000Z';
const second = '2026-02-03T09:30:00.000Z';
const indicator = {
  type: 'indicator', spec_version: '2.1', id: shifting, created: first, modified: first, name: 'Mooring beacon', description: 'Asks for orders every nine minutes.',
  pattern: "[domain-name:value = 'mooring.example']", pattern_type: 'stix', valid_from: first, labels: ['beacon', 'unverified'], object_marking_refs: [green],
};

/** What is imported, one after the other. */
export const versions = [
  { type: 'bundle', id: 'bundle--5d0a8b57-3b1c-4a56-9f0e-2f6a3d1c9b01', objects: [
    indicator,
    { type: 'note', spec_version: '2.1', id: doubtful, created: first, modified: first, content: 'Both red and clear.', object_refs: [shifting], object_marking_refs: [red, clear] },
    ...[...spare, growing].map((id, i) => ({ type: 'tool', spec_version: '2.1', id, created: first, modified: first, name: `Spare ${i + 1}`, object_marking_refs: [clear] })),
  ] },
  { type: 'bundle', id: 'bundle--5d0a8b57-3b1c-4a56-9f0e-2f6a3d1c9b02', objects: [
    { ...indicator, modified: second, description: 'Asks for orders every seven minutes.', confidence: 80, labels: ['beacon'], pattern: "[domain-name:value = 'mooring.example' OR domain-name:value = 'jetty.example']" },
  ] },
];
