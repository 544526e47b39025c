// What a job computes, what it costs, and the files it left.
import { Table, Text } from '@mantine/core';
import { Amount, Fact, Facts, Hash } from '@/components/facts';
import { Scroll, Section } from '@/components/layout';
import { Person } from '@/components/Thread';
import { BASE } from '@/lib/api/client';
import { useRecipes } from '@/lib/api/jobs';
import type { Job } from '@/lib/api/types';
import { formatBps, formatBytes, words } from '@/lib/format';

export function What({ job }: { job: Job }) {
  const recipes = useRecipes();
  const recipe = recipes.data?.find((one) => one.name === job.recipe);
  const same = recipe?.code_hash === job.code_hash;
  return (
    <Section title="What is computed">
      <Facts>
        <Fact name="Recipe">
          {recipe?.title ?? job.recipe}
          {recipe && (
            <Text size="xs" c="dimmed">
              {same ? 'the code this marketplace offers now' : 'another version of the code than is offered now'}
            </Text>
          )}
        </Fact>
        <Fact name="Code">
          <Hash value={job.code_hash} label="code hash" />
        </Fact>
        <Fact name="Settings">
          <Hash value={job.config_hash} label="config hash" />
        </Fact>
        <Fact name="Seed">{job.seed}</Fact>
        <Fact name="Worker">{job.worker ? <Person principal={job.worker} /> : 'any that every owner has named'}</Fact>
      </Facts>
      {job.config && (
        <details>
          <summary>Show the settings</summary>
          <pre style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', fontSize: '0.8125rem' }}>{JSON.stringify(job.config, null, 1)}</pre>
        </details>
      )}
    </Section>
  );
}

export function Costs({ job }: { job: Job }) {
  return (
    <Section title="What it costs">
      <Facts>
        <Fact name="Budget">
          <Amount e8s={job.budget_e8s} />
        </Fact>
        <Fact name="Worker's fee">
          <Amount e8s={job.worker_fee_e8s} />
        </Fact>
        <Fact name="In escrow now">
          <Amount e8s={job.escrow_e8s} />
        </Fact>
        <Fact name="Shares of the model">
          {formatBps(job.terms.contributors_bps)} contributors, {formatBps(job.terms.builder_bps)} builder, {formatBps(job.terms.worker_bps)} worker
        </Fact>
      </Facts>
      {job.payouts.length > 0 && (
        <Scroll label="Payouts">
          <Table aria-label="Payouts" mt="sm">
            <Table.Tbody>
              {job.payouts.map((payout, i) => (
                <Table.Tr key={i}>
                  <Table.Td>
                    <Person principal={payout.owner} />
                    <Text size="xs" c="dimmed">
                      {words(payout.kind)}
                      {payout.claimed_block === null ? ', not claimed yet' : `, claimed in ledger block ${payout.claimed_block}`}
                    </Text>
                  </Table.Td>
                  <Table.Td ta="right">
                    <Amount e8s={payout.amount_e8s} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Scroll>
      )}
    </Section>
  );
}

export function Artifacts({ job }: { job: Job }) {
  if (!job.result) return null;
  return (
    <Section title="Files it left" note="Each is kept under its hash; the list's hash is on the chain.">
      <Scroll label="Artifacts">
        <Table aria-label="Artifacts">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Name</Table.Th>
              <Table.Th ta="right">Size</Table.Th>
              <Table.Th>SHA-256</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {job.result.artifacts.map((artifact) => (
              <Table.Tr key={artifact.name}>
                {/* `release` is the hash of a value, not of a file */}
                <Table.Td>{artifact.name === 'release' ? 'release' : <a href={`${BASE}blobs/${artifact.sha256}`}>{artifact.name}</a>}</Table.Td>
                <Table.Td ta="right">{formatBytes(artifact.size_bytes)}</Table.Td>
                <Table.Td>
                  <Hash value={artifact.sha256} label={`hash of ${artifact.name}`} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Scroll>
    </Section>
  );
}
