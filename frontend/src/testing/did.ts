// Reads the committed .did files into the types of @icp-sdk/core, so that hand-written contracts can be held to them. For tests only.
import { IDL } from '@icp-sdk/core/candid';

type Tokens = { list: string[]; at: number };

export interface DidMethod {
  args: string[];
  results: string[];
  annotations: string[];
}

export function parseDid(text: string): Record<string, DidMethod> {
  const source = text.replace(/\/\/[^\n]*/g, '');
  const tokens: Tokens = { list: source.match(/->|[A-Za-z_]\w*|\d+|"[^"]*"|[{}();:,=]/g) ?? [], at: 0 };
  const named = new Map<string, ReturnType<typeof IDL.Rec>>();
  const reference = (name: string) => {
    const before = named.get(name);
    if (before) return before;
    const made = IDL.Rec();
    named.set(name, made);
    return made;
  };
  while (peek(tokens) === 'type') {
    next(tokens);
    const name = next(tokens);
    expect(tokens, '=');
    reference(name).fill(readType(tokens, reference) as never);
    expect(tokens, ';');
  }
  expect(tokens, 'service');
  expect(tokens, ':');
  if (peek(tokens) === '(') {
    readTuple(tokens, reference);
    expect(tokens, '->');
  }
  return readMethods(tokens, reference);
}

type Reference = (name: string) => IDL.Type;

const peek = (tokens: Tokens): string => tokens.list[tokens.at] ?? '';
const next = (tokens: Tokens): string => tokens.list[tokens.at++] ?? '';
function expect(tokens: Tokens, wanted: string): void {
  const got = next(tokens);
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got} at ${tokens.at}: ${tokens.list.slice(tokens.at - 6, tokens.at + 4).join(' ')}`);
}

function readMethods(tokens: Tokens, reference: Reference): Record<string, DidMethod> {
  const methods: Record<string, DidMethod> = {};
  expect(tokens, '{');
  while (peek(tokens) !== '}') {
    const name = next(tokens);
    expect(tokens, ':');
    const func = readFunc(tokens, reference);
    methods[name] = { args: func.args.map((type) => canonical(type)), results: func.results.map((type) => canonical(type)), annotations: func.annotations };
    if (peek(tokens) === ';') next(tokens);
  }
  return methods;
}

function readFunc(tokens: Tokens, reference: Reference) {
  const args = readTuple(tokens, reference);
  expect(tokens, '->');
  const results = readTuple(tokens, reference);
  const annotations = peek(tokens) === 'query' ? [next(tokens)] : [];
  return { args, results, annotations };
}

function readTuple(tokens: Tokens, reference: Reference): IDL.Type[] {
  const types: IDL.Type[] = [];
  expect(tokens, '(');
  while (peek(tokens) !== ')') {
    types.push(readType(tokens, reference));
    if (peek(tokens) === ',') next(tokens);
  }
  expect(tokens, ')');
  return types;
}

const PRIMITIVES: Record<string, IDL.Type> = {
  nat: IDL.Nat, int: IDL.Int, nat8: IDL.Nat8, nat16: IDL.Nat16, nat32: IDL.Nat32, nat64: IDL.Nat64, int64: IDL.Int64,
  text: IDL.Text, bool: IDL.Bool, principal: IDL.Principal, null: IDL.Null, blob: IDL.Vec(IDL.Nat8),
};

function readType(tokens: Tokens, reference: Reference): IDL.Type {
  const word = next(tokens);
  if (word === 'vec') return IDL.Vec(readType(tokens, reference));
  if (word === 'opt') return IDL.Opt(readType(tokens, reference));
  if (word === 'record') return readRecord(tokens, reference);
  if (word === 'variant') return IDL.Variant(readFields(tokens, reference, true));
  if (word === 'func') {
    const { args, results, annotations } = readFunc(tokens, reference);
    return IDL.Func(args as never, results as never, annotations);
  }
  return PRIMITIVES[word] ?? reference(word);
}

/** `record { text; Value }` is a tuple, `record { a : nat }` a record. */
function readRecord(tokens: Tokens, reference: Reference): IDL.Type {
  const second = tokens.list[tokens.at + 2];
  if (peek(tokens) === '{' && tokens.list[tokens.at + 1] !== '}' && second !== ':') {
    expect(tokens, '{');
    const types: IDL.Type[] = [];
    while (peek(tokens) !== '}') {
      types.push(readType(tokens, reference));
      if (peek(tokens) === ';') next(tokens);
    }
    expect(tokens, '}');
    return IDL.Tuple(...types);
  }
  return IDL.Record(readFields(tokens, reference, false));
}

function readFields(tokens: Tokens, reference: Reference, payloadOptional: boolean): Record<string, IDL.Type> {
  const fields: Record<string, IDL.Type> = {};
  expect(tokens, '{');
  while (peek(tokens) !== '}') {
    const name = next(tokens);
    if (payloadOptional && peek(tokens) !== ':') fields[name] = IDL.Null;
    else {
      expect(tokens, ':');
      fields[name] = readType(tokens, reference);
    }
    if (peek(tokens) === ';') next(tokens);
  }
  expect(tokens, '}');
  return fields;
}

/** One text for one type, whatever it was named: names are followed, recursion is counted back. */
export function canonical(type: IDL.Type, above: readonly IDL.Type[] = []): string {
  if (type instanceof IDL.RecClass) {
    const back = above.lastIndexOf(type);
    if (back >= 0) return `^${above.length - back}`;
    const inner = type.getType();
    if (!inner) throw new Error('a type is used that nothing defines');
    // A name that does not come back to itself adds nothing.
    const marked = canonical(inner, [...above, type]);
    return comesBack(inner, type) ? `rec(${marked})` : canonical(inner, above);
  }
  if (type instanceof IDL.VecClass) return `vec ${canonical(inside(type), above)}`;
  if (type instanceof IDL.OptClass) return `opt ${canonical(inside(type), above)}`;
  if (type instanceof IDL.FuncClass) return `func(${type.argTypes.map((t) => canonical(t, above))})->(${type.retTypes.map((t) => canonical(t, above))})${type.annotations.join()}`;
  if (type instanceof IDL.RecordClass || type instanceof IDL.VariantClass) {
    const kind = type instanceof IDL.VariantClass ? 'variant' : 'record';
    const fields = type._fields.map(([name, field]) => `${name.replace(/^_(\d+)_$/, '$1')}:${canonical(field, above)}`).sort();
    return `${kind}{${fields.join(';')}}`;
  }
  return type.name;
}

const inside = (type: IDL.Type): IDL.Type => (type as unknown as { _type: IDL.Type })._type;

function comesBack(type: IDL.Type, to: IDL.Type, seen = new Set<IDL.Type>()): boolean {
  if (type === to) return true;
  if (seen.has(type)) return false;
  seen.add(type);
  const children =
    type instanceof IDL.RecClass
      ? [type.getType() as IDL.Type]
      : type instanceof IDL.VecClass || type instanceof IDL.OptClass
        ? [inside(type)]
        : type instanceof IDL.FuncClass
          ? [...type.argTypes, ...type.retTypes]
          : type instanceof IDL.RecordClass || type instanceof IDL.VariantClass
            ? type._fields.map(([, field]) => field)
            : [];
  return children.some((child) => comesBack(child, to, seen));
}
