"""Where a row comes from: from a question, part, object or photograph back to what its source says.

explaining  an id, whatever it is the id of
chain       what is told of each row
lookups     the rows of a store, found without reading tables whole
text        an explanation as text for people, or JSON
"""

from partonomy_data.provenance.explaining import Explanation, explain
from partonomy_data.provenance.text import as_json, as_text

__all__ = ["Explanation", "as_json", "as_text", "explain"]
