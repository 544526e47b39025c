// What the chain holds about a dataset: versions, policies, and every change.
import { Accordion, Stack, Table, Text } from '@mantine/core';
import { Fact, Facts, Hash, State, When } from '@/components/facts';
import { HowDoWeKnow } from '@/components/HowDoWeKnow';
import { Scroll } from '@/components/layout';
import { Empty } from '@/components/states';
import type { Dataset, HistoryEntry } from '@/lib/api/types';
import { formatBytes, formatCount } from '@/lib/format';

const HASHES = ['ciphertext_root', 'plaintext_commitment', 'manifest_hash', 'schema_hash', 'card_hash', 'profile_hash', 'mock_hash'] as const;
const HASH_NAMES: Record<(typeof HASHES)[number], string> = {
  ciphertext_root: 'Encrypted file (Merkle root)',
  plaintext_commitment: 'Commitment to the content',
  manifest_hash: 'Manifest',
  schema_hash: 'Columns',
  card_hash: 'Description',
  profile_hash: 'Statistics',
  mock_hash: 'Sample',
};

export function Versions({ dataset }: { dataset: Dataset }) {
  return (
    <Accordion variant="separated">
      {[...dataset.versions].reverse().map((version) => (
        <Accordion.Item key={version.version} value={String(version.version)}>
          <Accordion.Control>
            Version {version.version}: {formatCount(version.row_count)} rows, {formatBytes(version.size_bytes)}
            {version.complete ? '' : `, ${formatBytes(version.stored_bytes)} uploaded so far`}
          </Accordion.Control>
          <Accordion.Panel>
            <Stack gap="sm">
              <Facts>
                <Fact name="Registered">
                  <When ns={version.registered_at_ns} />
                </Fact>
                <Fact name="Stored">{version.complete ? 'all of it' : `${formatBytes(version.stored_bytes)} of ${formatBytes(version.size_bytes)}: its owner has to finish the upload`}</Fact>
                {HASHES.map((name) => (
                  <Fact key={name} name={HASH_NAMES[name]}>
                    <Hash value={version[name]} label={HASH_NAMES[name]} />
                  </Fact>
                ))}
              </Facts>
              <div>
                <HowDoWeKnow proof={version.proof} of={`version ${version.version}`} />
              </div>
            </Stack>
          </Accordion.Panel>
        </Accordion.Item>
      ))}
    </Accordion>
  );
}

export function Policies({ dataset }: { dataset: Dataset }) {
  if (!dataset.policy) return <Text>No policy is set. Until its owner sets one, every request is denied.</Text>;
  const [current, ...former] = dataset.policies;
  return (
    <Stack gap="sm">
      <Text>{dataset.policy.sentence}</Text>
      <Facts>
        <Fact name="A request is">
          <State of={dataset.policy.decision} />
        </Fact>
        <Fact name="Version">{current?.version ?? dataset.policy.version}</Fact>
        <Fact name="Set">
          <When ns={dataset.policy.set_at_ns} />
        </Fact>
      </Facts>
      {former.length > 0 && (
        <Accordion>
          <Accordion.Item value="former">
            <Accordion.Control>Former policies ({former.length})</Accordion.Control>
            <Accordion.Panel>
              <Stack gap="sm">
                {former.map((policy) => (
                  <div key={policy.version}>
                    <Text size="sm">
                      Version {policy.version}, <When ns={policy.set_at_ns} />: {policy.sentence}
                    </Text>
                    <HowDoWeKnow compact proof={policy.proof} of={`policy version ${policy.version}`} />
                  </div>
                ))}
              </Stack>
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
      )}
    </Stack>
  );
}

export function History({ entries }: { entries: HistoryEntry[] }) {
  if (entries.length === 0) return <Empty title="Nothing has happened yet" />;
  return (
    <Scroll label="History">
      <Table aria-label="History">
        <Table.Tbody>
          {entries.map((entry) => (
            <Table.Tr key={`${entry.proof.canister}/${entry.proof.block}`}>
              <Table.Td w={160}>
                <When ns={entry.at_ns} />
              </Table.Td>
              <Table.Td>{entry.title}</Table.Td>
              <Table.Td ta="right">
                <HowDoWeKnow compact proof={entry.proof} of={entry.title} />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
