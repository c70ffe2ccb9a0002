// Chooses the attributes of an answer to show. Answers contain all labels, so that another profile or caution needs no
// further request; the rules are those of fashion/answers.py (chosen_labels) and fashion/options.py (cautious).

const key = (attribute) => `${attribute.group}:${attribute.name}`;

// Multiply the odds of a threshold by the caution; 0 and 1 are unchanged.
export const cautious = (threshold, caution) => (caution * threshold) / (1 - threshold + caution * threshold);

// For each group: whether it applies, the answered attributes, and the likeliest one.
export function choose(facts, answer, settings) {
  const isProduct = answer.product?.recognized ?? true;
  const thresholds = facts.profiles[settings.profile];
  const counts = facts.counting[settings.profile];
  const groups = Map.groupBy(answer.attributes, (attribute) => attribute.group);
  return facts.groups.map((group) => {
    const applies = (answer.applies?.[group] ?? 1) >= (facts.applies[group] ?? 0);
    const attributes = (groups.get(group) ?? []).map((attribute) => ({
      group,
      name: attribute.name,
      probability: attribute.probability,
      threshold: cautious(thresholds[key(attribute)], settings.caution),
    }));
    const answered = counts
      ? attributes.slice(0, counts[group])
      : attributes.filter((attribute) => attribute.probability >= attribute.threshold);
    return { group, applies, answered: isProduct && applies ? answered : [], likeliest: attributes[0] };
  });
}
