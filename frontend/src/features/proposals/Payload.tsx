// What a proposal would do, in words and figures; for a release, its metrics beside those of the live one.
import { Alert, Table, Text } from '@mantine/core';
import { Amount, Fact, Facts, Hash } from '@/components/facts';
import { Person } from '@/components/Thread';
import type { Proposal } from '@/lib/api/types';
import { formatBps, formatBytes, formatCount, formatPpm, formatSpan, words } from '@/lib/format';
import { e8s } from '@/lib/units';

export function Payload({ proposal }: { proposal: Proposal }) {
  const { payload } = proposal;
  switch (proposal.kind) {
    case 'release':
      return <Release proposal={proposal} />;
    case 'parameters':
      return (
        <Facts>
          <Fact name="Price of an answer">
            <Amount e8s={e8s(whole(payload.price_e8s))} />
          </Fact>
          <Fact name="Kept for the treasury">{formatBps(Number(payload.treasury_bps))}</Fact>
          <Fact name="A vote is open for">{formatSpan(whole(payload.voting_period_ns))}</Fact>
          <Fact name="A late turn adds up to">{formatSpan(whole(payload.quiet_period_ns))}</Fact>
        </Facts>
      );
    case 'treasury_transfer':
      return (
        <Text>
          <Amount e8s={e8s(whole(payload.amount_e8s))} /> leave the treasury for <Person principal={String(payload.to)} />.
        </Text>
      );
    case 'upgrade':
      return (
        <Text>
          The cooperative&apos;s own code is replaced by the one its factory carries, <Hash value={String(payload.module_hash)} label="module hash" />.
        </Text>
      );
  }
}

const whole = (value: unknown): string => (/^\d+$/.test(String(value)) ? String(value) : '0');

interface Chunk {
  size_bytes: number | string;
}
const chunksOf = (value: unknown): Chunk[] => (Array.isArray(value) ? (value as Chunk[]) : []);

function Release({ proposal }: { proposal: Proposal }) {
  const { payload } = proposal;
  // Beside itself a release says nothing.
  const live = proposal.state === 'live' ? null : proposal.live_metrics;
  const metrics = Array.isArray(payload.metrics) ? (payload.metrics as { name: string; value_ppm: number | string }[]) : [];
  const chunks = [...chunksOf(payload.wasm_chunks), ...chunksOf(payload.weight_chunks)];
  const failed = proposal.state === 'failed' ? proposal.log.find((entry) => entry.btype === 'proposal_failed') : undefined;
  return (
    <>
      {failed && (
        <Alert color="red" variant="light" title="It was adopted, but did not go live" mb="sm">
          {failed.title}. The release that was live before still is.
        </Alert>
      )}
      <Text mb="sm">The model is replaced by this one. It is installed by the vote itself, and goes live only if its answers on the chain equal ONNX Runtime&apos;s.</Text>
      {metrics.length > 0 && (
        <Table aria-label="Metrics" mb="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Metric</Table.Th>
              <Table.Th ta="right">This release</Table.Th>
              {live && <Table.Th ta="right">Live now</Table.Th>}
              {live && <Table.Th ta="right">Change</Table.Th>}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {metrics.map((metric) => {
              const before = live?.find((one) => one.name === metric.name)?.value_ppm;
              const now = Number(metric.value_ppm);
              return (
                <Table.Tr key={metric.name}>
                  <Table.Td>{words(metric.name)}</Table.Td>
                  <Table.Td ta="right">{formatPpm(now)}</Table.Td>
                  {live && <Table.Td ta="right">{before === undefined ? '–' : formatPpm(before)}</Table.Td>}
                  {live && <Table.Td ta="right">{before === undefined ? '–' : `${now >= before ? '+' : ''}${formatPpm(now - before)}`}</Table.Td>}
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      )}
      <Facts>
        {chunks.length > 0 && <Fact name="Size">{formatBytes(chunks.reduce((sum, chunk) => sum + Number(chunk.size_bytes), 0))}</Fact>}
        {payload.estimated_instructions !== undefined && <Fact name="Cost of an answer">{formatCount(BigInt(whole(payload.estimated_instructions)))} instructions</Fact>}
        {typeof payload.wasm_sha256 === 'string' && (
          <Fact name="Code">
            <Hash value={payload.wasm_sha256} label="wasm hash" />
          </Fact>
        )}
        {proposal.manifest_hash && (
          <Fact name="Manifest">
            <Hash value={proposal.manifest_hash} label="manifest hash" />
          </Fact>
        )}
      </Facts>
    </>
  );
}
