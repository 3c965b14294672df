/* usage: check_schema SCHEMA.json FILE.json...: whether each file is what the schema says. */
#include "../unit/json_schema.h"

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *schema = argc > 2 ? json_load_file(argv[1], 0, &error) : NULL;
	int failed = !schema;
	if (!schema)
		fprintf(stderr, "check_schema: %s\n", argc > 2 ? error.text : "needs a schema and files");
	for (int i = 2; i < argc && schema; i++) {
		json_t *document = json_load_file(argv[i], 0, &error);
		const int wrong = !document || schema_check_document(schema, document);
		if (wrong)
			fprintf(stderr, "%s: %s\n", argv[i], document ? "is not what the schema says" : error.text);
		failed |= wrong;
		json_decref(document);
	}
	json_decref(schema);
	return failed;
}
