// Holds the types that the page reads answers with (frontend/src/lib/api/types.ts) to the API's own schema: no field that the server does not
// give, and each of the same kind. Usage: node types.mjs SCHEMA.json; prints what differs, exit code 1.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const frontend = fileURLToPath(new URL('../../frontend/', import.meta.url));
const ts = createRequire(`${frontend}package.json`)('typescript');
const { components } = JSON.parse(readFileSync(process.argv[2], 'utf8'));

const SHAPES = {
  AccountSummary: 'AccountShape', ActiveApiToken: 'TokenSecretShape', Activity: 'ActivityShape', ApiToken: 'TokenShape', Approval: 'ApprovalShape', Artifact: 'ArtifactShape',
  Attribution: 'AttributionShape', Ballot: 'BallotShape', Dataset: 'DatasetShape', DatasetSummary: 'DatasetSummaryShape', DatasetVersion: 'VersionShape', Earnings: 'EarningsShape',
  Holder: 'HolderShape', Job: 'JobShape', JobRelease: 'ReleaseShape', JobRequest: 'RequestShape', JobResult: 'ResultShape', JobSummary: 'JobSummaryShape', KeptConfig: 'ConfigShape',
  LiveRelease: 'LiveShape', Metric: 'MetricShape', Model: 'ModelShape', ModelParameters: 'ParametersShape', ModelSummary: 'ModelSummaryShape', Network: 'NetworkShape',
  NewApiToken: 'TokenMadeShape', OpenVote: 'VoteShape', PaidCall: 'CallShape', Payout: 'PayoutShape', Policy: 'PolicyShape', Proof: 'ProofShape', Proposal: 'ProposalShape',
  ProposalSummary: 'ProposalSummaryShape', Recipe: 'RecipeShape', Share: 'ShareShape', Terms: 'TermsShape', Transfer: 'TransferShape', UploadState: 'UploadShape', Worker: 'WorkerShape',
};

const path = `${frontend}src/lib/api/types.ts`;
const program = ts.createProgram([path], { strict: true, baseUrl: frontend, paths: { '@/*': ['./src/*'] }, moduleResolution: ts.ModuleResolutionKind.Bundler, module: ts.ModuleKind.ESNext, ignoreDeprecations: '6.0' });
const checker = program.getTypeChecker();
const declared = new Map(checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(path))).map((symbol) => [symbol.name, symbol]));

/** What a TypeScript type is in JSON: a set of text, number, flag, list, record; null left out. */
function kindsOf(type) {
  if (type.isUnion()) return new Set(type.types.flatMap((part) => [...kindsOf(part)]));
  if (type.flags & ts.TypeFlags.Null) return new Set();
  if (type.flags & ts.TypeFlags.Unknown) return new Set(['any']);
  // A branded text is the intersection of a text and its brand.
  if (type.isIntersection()) return kindsOf(type.types.find((part) => part.flags & ts.TypeFlags.StringLike) ?? type.types[0]);
  if (type.flags & ts.TypeFlags.StringLike) return new Set(['text']);
  if (type.flags & ts.TypeFlags.NumberLike) return new Set(['number']);
  if (type.flags & ts.TypeFlags.BooleanLike) return new Set(['flag']);
  return new Set([checker.isArrayType(type) || checker.isTupleType(type) ? 'list' : 'record']);
}

function schemaKinds(schema) {
  if (schema.$ref) return schemaKinds(components.schemas[schema.$ref.split('/').pop()]);
  const parts = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (parts) return new Set(parts.flatMap((part) => [...schemaKinds(part)]));
  const names = { string: 'text', integer: 'number', number: 'number', boolean: 'flag', array: 'list', object: 'record' };
  return new Set([names[schema.type] ?? 'any']);
}

const differences = [];
for (const [name, shape] of Object.entries(SHAPES)) {
  const schema = components.schemas[shape];
  if (!schema || !declared.has(name)) {
    differences.push(`${name}: there is no ${schema ? `type ${name}` : `shape ${shape}`}`);
    continue;
  }
  for (const property of checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(declared.get(name)))) {
    const field = schema.properties[property.name];
    if (!field) {
      differences.push(`${name}.${property.name}: the server does not give it`);
      continue;
    }
    const [page, server] = [kindsOf(checker.getTypeOfSymbol(property)), schemaKinds(field)];
    if (server.has('any') || page.has('any')) continue;
    if (![...server].every((kind) => page.has(kind))) differences.push(`${name}.${property.name}: the page reads ${[...page].join(' or ')}, the server gives ${[...server].join(' or ')}`);
  }
}
process.stdout.write(differences.map((line) => `${line}\n`).join(''));
process.exit(differences.length ? 1 : 0);
