import { expect, test } from 'vitest';
import { datasetThread, PATTERNS, personThread } from './thread';

test('an id has one thread, for ever', () => {
  const principal = 'rdmx6-jaaaa-aaaaa-aaadq-cai';

  expect(personThread(principal)).toEqual(personThread(principal));
  expect(personThread(principal).name).toMatch(/^[a-z]+ [a-z]+$/);
  // What was said aloud last month must name the same person today.
  expect(personThread(principal)).toMatchInlineSnapshot(`
    {
      "colour": 6,
      "ink": "dark",
      "key": "person:rdmx6-jaaaa-aaaaa-aaadq-cai",
      "name": "rose lapwing",
      "pattern": "rising",
    }
  `);
  expect(datasetThread(1)).toMatchInlineSnapshot(`
    {
      "colour": 1,
      "ink": "light",
      "key": "dataset:1",
      "name": "frost chamois",
      "pattern": "wide",
    }
  `);
});

test('a person and a dataset of the same id are told apart', () => {
  expect(personThread('7')).not.toEqual(datasetThread('7'));
});

test('threads spread over all colours, patterns and many names', () => {
  const threads = Array.from({ length: 4_000 }, (_, i) => datasetThread(i));

  for (let colour = 0; colour < 8; colour += 1) expect(threads.filter((thread) => thread.colour === colour).length).toBeGreaterThan(400);
  for (const pattern of PATTERNS) expect(threads.filter((thread) => thread.pattern === pattern).length).toBeGreaterThan(400);
  expect(new Set(threads.map((thread) => thread.name)).size).toBeGreaterThan(2_000);
});
