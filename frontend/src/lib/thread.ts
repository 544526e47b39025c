// The thread: one stable colour, pattern and spoken name for each person and each dataset, derived from its id.
//
// Colours are Okabe and Ito's, told apart by people with any colour vision; the pattern, and whether it is drawn light or dark, tell apart
// what shares a colour; the first word names the colour, so that the name said aloud and the line on the screen agree.

export interface Thread {
  key: string;
  /** Index into the eight colours; `--thread-0` to `--thread-7` give them, for light and dark. */
  colour: number;
  pattern: Pattern;
  ink: 'light' | 'dark';
  /** Two words, such as "amber heron". */
  name: string;
}

export const PATTERNS = ['solid', 'rising', 'falling', 'dots', 'bars', 'grid', 'rows', 'wide'] as const;
export type Pattern = (typeof PATTERNS)[number];

const ADJECTIVES: readonly (readonly string[])[] = [
  ['amber', 'honey', 'saffron', 'ochre', 'marigold', 'apricot', 'tawny', 'golden'],
  ['azure', 'sky', 'powder', 'frost', 'glacier', 'breeze', 'lagoon', 'rain'],
  ['fern', 'jade', 'moss', 'mint', 'basil', 'laurel', 'meadow', 'clover'],
  ['lemon', 'straw', 'canary', 'primrose', 'citron', 'butter', 'barley', 'sulphur'],
  ['navy', 'cobalt', 'indigo', 'ink', 'denim', 'harbour', 'ultramarine', 'sapphire'],
  ['russet', 'copper', 'rust', 'brick', 'cinnabar', 'paprika', 'ember', 'terracotta'],
  ['rose', 'mallow', 'orchid', 'heather', 'peony', 'foxglove', 'thistle', 'mulberry'],
  ['slate', 'ash', 'pewter', 'flint', 'graphite', 'cloud', 'pebble', 'smoke'],
];

const NOUNS = [
  'heron', 'otter', 'lynx', 'wren', 'badger', 'marten', 'curlew', 'ibex', 'plover', 'stoat', 'falcon', 'hare', 'osprey', 'beaver', 'swift', 'dormouse',
  'egret', 'vole', 'kestrel', 'moose', 'dipper', 'bison', 'siskin', 'tortoise', 'lapwing', 'seal', 'magpie', 'newt', 'goshawk', 'tern', 'chamois', 'crane',
  'puffin', 'weasel', 'redstart', 'toad', 'avocet', 'elk', 'nuthatch', 'salmon', 'godwit', 'shrew', 'bittern', 'trout', 'linnet', 'fox', 'gannet', 'mole',
  'warbler', 'perch', 'jackdaw', 'deer', 'sandpiper', 'pike', 'bunting', 'wolf', 'skylark', 'eel', 'raven', 'mouse', 'thrush', 'carp', 'owl', 'bee',
] as const;

export const personThread = (principal: string): Thread => threadOf(`person:${principal}`);
export const datasetThread = (id: number | string): Thread => threadOf(`dataset:${id}`);

const known = new Map<string, Thread>();

function threadOf(key: string): Thread {
  const before = known.get(key);
  if (before) return before;
  const bits = hash(key);
  const colour = bits % 8;
  const adjective = ADJECTIVES[colour]?.[(bits >>> 3) % 8] ?? '';
  const noun = NOUNS[(bits >>> 6) % NOUNS.length] ?? '';
  const thread: Thread = { key, colour, pattern: PATTERNS[(bits >>> 12) % PATTERNS.length] ?? 'solid', ink: (bits >>> 15) % 2 ? 'dark' : 'light', name: `${adjective} ${noun}` };
  known.set(key, thread);
  return thread;
}

/** 32 well mixed bits. Source: MurmurHash3, 32-bit, over UTF-16 units. */
function hash(text: string): number {
  let h = 0x9747b28c;
  for (let i = 0; i < text.length; i += 1) {
    let k = Math.imul(text.charCodeAt(i), 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = Math.imul(h, 5) + 0xe6546b64;
  }
  h ^= text.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
